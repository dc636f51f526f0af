"""What commands send, byte for byte where it matters, to a broker that answers by a script.

The requests are those of flux-core's commands, as they were seen on the wire.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.core import HandleCore
from fluxcore.handle.service import Method
from fluxcore.job.sign import unwrap
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message
from support.rfc3_server import serving_in_thread

ANY = c.NODEID_ANY

#: What the scripted broker answers, by topic.
ANSWERS: dict[str, Any] = {
    "attr.get": {"value": "vm", "flags": 1},
    "attr.set": None,
    "attr.list": {"names": []},
    "module.list": {"mods": []},
    "module.load": None,
    "module.remove": None,
    "kvs.stats-get": {"a": 1},
    "kvs.stats-clear": None,
    "kvs.debug": {"flags": 1},
    "kvs.rusage": {"utime": 0.0},
    "kvs.commit": {"rootref": "sha1-" + "0" * 40, "rootseq": 4},
    "kvs.lookup": {"val": {"ver": 1, "type": "val", "data": "NDI="}},
    "kvs.getroot": {"owner": 0, "rootseq": 1, "rootref": "sha1-x", "flags": 0, "namespace": "x"},
    "kvs.wait-version": {"rootseq": 1, "rootref": "sha1-x"},
    "log.clear": None,
    "event.publish": {"seq": 7},
    "event.subscribe": None,
    "job-ingest.submit": {"id": 1},
    "job-info.lookup": {"id": 1, "R": "{}"},
    "job-manager.history.get": {"jobs": [1]},
    "job-manager.raise": None,
    "job-manager.kill": None,
    "job-manager.urgency": {"old_urgency": 16},
    "job-list.list-id": {"job": {"id": 1}},
}


def serve(core: HandleCore) -> None:
    for topic, answer in ANSWERS.items():
        core.add_method(topic, Method(lambda _req, answer=answer: answer, c.ROLE_ALL))


def send(run_flux, folder: Path, *args: str, stdin: str = "", status: int = 0) -> list[Message]:
    """Run a command; the messages that it has sent."""
    with serving_in_thread(folder, serve) as server:
        done = run_flux(*args, input=stdin, env={"FLUX_URI": server.uri, "TZ": "UTC"})
        assert done.returncode == status, done.stderr
        return list(server.connections[0].received)


def lookup(key: str, flags: int) -> dict[str, Any]:
    return {"key": key, "namespace": "primary", "flags": flags}


def value(data: str) -> dict[str, Any]:
    return {"ver": 1, "type": "val", "data": data}


def commit(*ops: tuple[str, int, Any], flags: int = 0) -> dict[str, Any]:
    made = [{"key": key, "flags": flag, "dirent": dirent} for key, flag, dirent in ops]
    return {"namespace": "primary", "flags": flags, "ops": made}


def lookup_id(job: int, key: str, flags: int) -> dict[str, Any]:
    return {"id": job, "keys": [key], "flags": flags}


@pytest.mark.parametrize(
    ("line", "requests"),
    [
        ("getattr rank", [("attr.get", {"name": "rank"})]),
        ("setattr a b", [("attr.set", {"name": "a", "value": "b"})]),
        ("setattr -f a b", [("attr.set", {"name": "a", "value": "b", "force": True})]),
        ("lsattr", [("attr.list", None)]),
        ("module list", [("module.list", None)]),
        ("module load m x=1", [("module.load", {"path": "m", "args": ["x=1"], "exec": False})]),
        (
            "module load --exec --name=n m",
            [("module.load", {"path": "m", "args": [], "exec": True, "name": "n"})],
        ),
        ("module remove m", [("module.remove", {"name": "m", "cancel": False})]),
        (
            "module reload --name=n m y",
            [
                ("module.remove", {"name": "n", "cancel": False}),
                ("module.load", {"path": "m", "args": ["y"], "exec": False, "name": "n"}),
            ],
        ),
        ("module stats kvs", [("kvs.stats-get", None)]),
        ("module stats -c kvs", [("kvs.stats-clear", None)]),
        ("module stats -Rthread kvs", [("kvs.rusage", {"who": "thread"})]),
        ("module debug kvs", [("kvs.debug", {"op": "setbit", "flags": 0})]),
        ("module debug -S 0x10 kvs", [("kvs.debug", {"op": "set", "flags": 16})]),
        ("dmesg -C", [("log.clear", None)]),
        ("kvs get a", [("kvs.lookup", lookup("a", 0))]),
        ("kvs get -N ns a", [("kvs.lookup", {**lookup("a", 0), "namespace": "ns"})]),
        ("kvs put a=42", [("kvs.commit", commit(("a", 0, value("NDI="))))]),
        (
            "kvs put -n d.e=hello f=",
            [
                (
                    "kvs.commit",
                    commit(("d.e", 0, value("aGVsbG8=")), ("f", 0, value("")), flags=1),
                )
            ],
        ),
        ("kvs put -A a=more", [("kvs.commit", commit(("a", 32, value("bW9yZQ=="))))]),
        ("kvs put -S a=1", [("kvs.commit", commit(("a", 0, value("MQ==")), flags=4))]),
        (
            "kvs mkdir d",
            [("kvs.commit", commit(("d", 0, {"ver": 1, "type": "dir", "data": {}})))],
        ),
        (
            "kvs link -T ns a b",
            [
                (
                    "kvs.commit",
                    commit(
                        (
                            "b",
                            0,
                            {
                                "ver": 1,
                                "type": "symlink",
                                "data": {"namespace": "ns", "target": "a"},
                            },
                        )
                    ),
                )
            ],
        ),
        (
            "kvs unlink a",
            [("kvs.lookup", lookup("a", 16)), ("kvs.commit", commit(("a", 0, None)))],
        ),
        ("kvs wait 3", [("kvs.wait-version", {"rootseq": 3, "namespace": "primary"})]),
        ("event pub -s a.b", [("event.publish", {"topic": "a.b", "flags": 0})]),
        (
            "event pub -sp a.b {}",
            [("event.publish", {"topic": "a.b", "flags": 32, "payload": "e30A"})],
        ),
        (
            "event pub -sr a.b x",
            [("event.publish", {"topic": "a.b", "flags": 0, "payload": "eA=="})],
        ),
        ("job last", [("job-manager.history.get", {"slice": "[:1]"})]),
        ("job info 1 R", [("job-info.lookup", lookup_id(1, "R", 2))]),
        ("job info -b 1 R", [("job-info.lookup", lookup_id(1, "R", 0))]),
        (
            "job cancel 1 2",
            [
                ("job-manager.raise", {"id": 1, "type": "cancel", "severity": 0}),
                ("job-manager.raise", {"id": 2, "type": "cancel", "severity": 0}),
            ],
        ),
        (
            "job raise -s3 -t test 1 a note",
            [("job-manager.raise", {"id": 1, "type": "test", "severity": 3, "note": "a note"})],
        ),
        ("job kill -s USR1 1", [("job-manager.kill", {"id": 1, "signum": 10})]),
        ("job urgency 1 hold", [("job-manager.urgency", {"id": 1, "urgency": 0})]),
        (
            "jobs -n -o {name}{runtime} 1",
            [("job-list.list-id", {"id": 1, "attrs": ["name", "t_cleanup", "t_run"]})],
        ),
    ],
)
def test_plain_requests(run_flux, short_path, line, requests):
    sent = send(run_flux, short_path, *line.split())
    assert [(msg.topic, msg.json if msg.has_payload else None) for msg in sent] == requests
    for msg in sent:
        assert (msg.type, msg.flags, msg.nodeid) == (c.REQUEST, 0, ANY)
        assert (msg.userid, msg.matchtag > 0) == (c.USERID_UNKNOWN, True)


@pytest.mark.parametrize(
    ("args", "payload", "flags"),
    [
        (["a.b.c"], None, 0),
        (["x", "notjson"], b"notjson\0", 0),
        (["-p", "x", '{"a":1}'], b'{"a":1}\0', c.PRIVATE),
        (["-r", "a.b", "raw", "bytes"], b"raw bytes", 0),
    ],
)
def test_an_event_is_published_without_asking(run_flux, short_path, args, payload, flags):
    (sent,) = send(run_flux, short_path, "event", "pub", *args)
    assert (sent.type, sent.flags, sent.data) == (c.EVENT, flags, payload)


def test_an_event_clears_statistics_everywhere(run_flux, short_path):
    (sent,) = send(run_flux, short_path, "module", "stats", "-C", "kvs")
    assert (sent.type, sent.topic, sent.data) == (c.EVENT, "kvs.stats-clear", None)


@pytest.mark.parametrize(
    ("line", "topic", "nodeid"),
    [
        ("ping -c1 kvs", "kvs.ping", ANY),
        ("ping -c1 3!kvs", "kvs.ping", 3),
        ("ping -c1 -r 1 kvs", "kvs.ping", 1),
        ("ping -c1 vm", "broker.ping", 0),
    ],
)
def test_a_ping_says_when_it_was_sent(run_flux, short_path, line, topic, nodeid):
    _hosts, sent = send(run_flux, short_path, *line.split(), "-p", "4", status=1)
    assert (sent.topic, sent.nodeid) == (topic, nodeid)
    assert list(sent.json) == ["seq", "time.tv_sec", "time.tv_nsec", "pad"]
    assert sent.json["pad"] == "pppp"


def test_the_log_is_a_stream(run_flux, short_path):
    (sent,) = send(run_flux, short_path, "dmesg", "-fn", status=1)
    assert (sent.topic, sent.flags) == ("log.dmesg", c.STREAMING)
    assert sent.json == {"follow": True, "nobacklog": True}


@pytest.mark.parametrize(
    ("line", "flags", "streaming"),
    [
        ("get -w a", 4, True),
        ("get -wA a", 260, True),
        ("get -W a", 8, False),
        ("get -S a", 512, True),
    ],
)
def test_keys_are_watched_by_another_service(run_flux, short_path, line, flags, streaming):
    (sent,) = send(run_flux, short_path, "kvs", *line.split(), status=1)
    assert (sent.topic, sent.json) == ("kvs-watch.lookup", lookup("a", flags))
    assert sent.streaming is streaming


def test_a_lookup_below_a_root_has_no_namespace(run_flux, short_path):
    root = {"data": ["sha1-" + "0" * 40], "type": "dirref", "ver": 1}
    text = '{"data":["sha1-' + "0" * 40 + '"],"type":"dirref","ver":1}'
    (sent,) = send(run_flux, short_path, "kvs", "get", "-a", text, "a")
    assert sent.json == {"key": "a", "flags": 0, "rootdir": root}


def test_a_jobspec_is_sent_as_it_is(run_flux, short_path):
    spec = ' {"version": 1, "odd": 1.0} \n'
    (sent,) = send(run_flux, short_path, "job", "submit", "-u", "20", "-", stdin=spec)
    assert (sent.topic, sent.json["urgency"], sent.json["flags"]) == ("job-ingest.submit", 20, 0)
    assert unwrap(sent.json["J"]) == (spec.encode(), os.getuid())


def test_copies_are_all_sent_before_an_answer_is_awaited(run_flux, short_path):
    sent = send(run_flux, short_path, "submit", "--quiet", "--cc=1-3", "--flags=waitable", "true")
    assert [msg.matchtag for msg in sent] == [1, 2, 3]
    assert {msg.json["flags"] for msg in sent} == {4}


def test_jobs_are_asked_for_with_what_is_needed(run_flux, short_path):
    (sent,) = send(run_flux, short_path, "jobs", "-n", "-o", "{id}:{status}", status=1)
    assert (sent.topic, sent.flags) == ("job-list.list", c.STREAMING)
    assert sent.json == {
        "max_entries": 1001,
        "attrs": ["result", "state"],
        "since": 0.0,
        "constraint": {"and": [{"userid": [os.getuid()]}, {"states": [62]}]},
    }


def test_tests_may_pose_as_guests(run_flux, short_path):
    with serving_in_thread(short_path, serve) as server:
        environ = {"FLUX_HANDLE_USERID": "42", "FLUX_HANDLE_ROLEMASK": "0x2"}
        run_flux("module", "list", env={"FLUX_URI": server.uri, **environ})
        (sent,) = server.connections[0].received
    assert (sent.userid, sent.rolemask) == (42, c.ROLE_USER)
