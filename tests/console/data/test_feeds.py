"""What the subjects ask of the services, and what they make of the answers."""

import errno

import orjson
import pytest

from fluxcore.job import sign
from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec_build import Options, from_command
from fluxcore.job.output import Data, Header
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import event
from fluxtop.data.instance import Instance, InstanceWatch, Pulse, State
from fluxtop.data.job import Happened, JobDocument, JobWatch, OutputWatch, Printed
from fluxtop.data.jobs import CountActive
from fluxtop.data.jobspecs import SubmitJob, check, complete
from fluxtop.data.module_operations import DebugFlags, SearchPath
from fluxtop.data.modules import ModuleStats
from fluxtop.data.tbon import Health, HealthWatch, Subtree, Topology, TopologyWatch

ATTRS = {
    "rank": "0",
    "size": "4",
    "instance-level": "1",
    "jobid-path": "/ƒ1",
    "version": "0.88.0",
    "broker.starttime": "1795344959.32",
    "hostlist": "node[0-3]",
}


@pytest.fixture
def attrs(broker):
    values = dict(ATTRS)

    def get(req):
        value = values.get(req.json["name"])
        if value is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return {"value": value, "flags": 1}

    broker.answers["attr.get"] = get
    return values


async def test_an_instance_says_what_it_is_and_beats(broker, attrs):
    broker.answers["state-machine.get"] = lambda _req: {"state": "run", "duration": 3.5}
    flux = await broker.dial("")
    got: list[object] = []
    task = flux.loop.create_task(InstanceWatch().follow(flux, got.append))
    await broker.until(lambda: "state-machine.get" in broker.topics())
    flux.receive(event("heartbeat.pulse", {}).with_seq(7))
    flux.receive(event("heartbeat.pulse", {}).with_seq(8))
    task.cancel()
    await broker.until(lambda: "event.unsubscribe" in broker.topics())
    assert got[0] == Instance(0, 4, 1, "/ƒ1", "0.88.0", 1795344959.32)
    assert [pulse.seq for pulse in got if isinstance(pulse, Pulse)] == [7, 8]
    states = [state for state in got if isinstance(state, State)]
    assert [(state.word, state.duration) for state in states] in ([], [("run", 3.5)])


async def test_an_instance_that_does_not_say_when_it_started(broker, attrs):
    for name in ("broker.starttime", "instance-level", "jobid-path", "version"):
        del attrs[name]
    broker.answers["state-machine.get"] = lambda _req: {"state": "run", "duration": 3.5}
    flux = await broker.dial("")
    got: list[object] = []
    task = flux.loop.create_task(InstanceWatch().follow(flux, got.append))
    await broker.until(lambda: "event.subscribe" in broker.topics())
    assert got[0] == Instance(0, 4, 0, "/", "", None)
    task.cancel()


async def test_the_topology_is_read_with_its_hosts(broker, attrs):
    leaf = {"rank": 1, "size": 1, "children": []}
    broker.answers["overlay.topology"] = lambda _req: {"rank": 0, "size": 2, "children": [leaf]}
    flux = await broker.dial("")
    got: list[Topology] = []
    await TopologyWatch().follow(flux, got.append)
    assert got[0].parents == (-1, 0)
    assert list(got[0].hosts) == ["node0", "node1", "node2", "node3"]
    assert broker.requests[0].nodeid == 0


@pytest.mark.parametrize("hosts", [None, "node["])
async def test_a_tree_without_known_hosts_is_a_tree(broker, attrs, hosts):
    attrs["hostlist"] = hosts
    broker.answers["overlay.topology"] = lambda _req: {"rank": 0, "size": 1, "children": []}
    flux = await broker.dial("")
    got: list[Topology] = []
    await TopologyWatch().follow(flux, got.append)
    assert list(got[0].hosts) == []


async def test_health_comes_as_a_stream_that_is_ended(broker):
    flux = await broker.dial("")
    got: list[Health] = []
    task = flux.loop.create_task(HealthWatch(3).follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    child = {"rank": 9, "status": "lost", "duration": 1.5, "error": "gone"}
    broker.tell(
        broker.streams[0],
        {"rank": 3, "status": "degraded", "duration": 2.0, "children": [child]},
    )
    while not got:
        await broker.turn()
    task.cancel()
    await broker.until(lambda: "overlay.disconnect" in broker.topics())
    assert got == [Health(Subtree(3, "degraded", 2.0), (Subtree(9, "lost", 1.5, "gone"),))]
    assert {msg.nodeid for msg in broker.requests} == {3}


def line(name: str, **context: object) -> dict[str, str]:
    return {"event": orjson.dumps({"timestamp": 1.0, "name": name, "context": context}).decode()}


async def test_the_events_of_a_job_come_until_the_last(broker):
    flux = await broker.dial("")
    got: list[Happened] = []
    task = flux.loop.create_task(JobWatch(7).follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    assert broker.streams[0].json == {"id": 7, "path": "eventlog", "flags": 0}
    broker.tell(broker.streams[0], line("submit"))
    broker.tell(broker.streams[0], line("clean"))
    broker.end(broker.streams[0])
    await task
    assert got == [Happened(True, (Event(1.0, "submit", {}), Event(1.0, "clean", {})))]


async def test_the_output_of_a_job_is_decoded_and_ends(broker):
    flux = await broker.dial("")
    got: list[Printed] = []
    task = flux.loop.create_task(OutputWatch(7).follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    assert broker.streams[0].json == {"id": 7, "path": "guest.output", "flags": 1}
    counts = {"stdout": 1, "stderr": 1}
    encoding = {"stdout": "base64", "stderr": "UTF-8"}
    broker.tell(broker.streams[0], line("header", version=1, encoding=encoding, count=counts))
    broker.tell(broker.streams[0], line("data", stream="stdout", rank="0", data="aGk="))
    broker.end(broker.streams[0])
    await task
    output = (Header(encoding, counts), Data("stdout", "0", b"hi"))
    assert got == [Printed(True, output), Printed(False, (), end=True)]


@pytest.mark.parametrize("errnum", [errno.ENOENT, errno.ENOTSUP])
async def test_a_job_without_output_has_an_end_of_it(broker, errnum):
    flux = await broker.dial("")
    got: list[Printed] = []
    task = flux.loop.create_task(OutputWatch(7).follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    broker.end(broker.streams[0], errnum)
    await task
    assert got == [Printed(True, (), end=True)]


@pytest.mark.parametrize("broken", [{}, {"event": "{"}, {"event": "{}"}])
async def test_what_is_no_event_is_a_protocol_error(broker, broken):
    flux = await broker.dial("")
    task = flux.loop.create_task(JobWatch(7).follow(flux, print))
    await broker.until(lambda: len(broker.streams) == 1)
    broker.tell(broker.streams[0], broken)
    with pytest.raises(PayloadError):
        await task


async def test_a_document_of_a_job_is_read(broker):
    broker.answers["job-info.lookup"] = lambda _req: {"id": 7, "jobspec": "{}"}
    flux = await broker.dial("")
    assert await JobDocument(7, "jobspec").run(flux) == "{}"
    assert broker.requests[0].json == {"id": 7, "keys": ["jobspec"], "flags": 0}


async def test_a_jobspec_is_signed_and_submitted(broker):
    broker.answers["job-ingest.submit"] = lambda _req: {"id": 1234}
    flux = await broker.dial("")
    jobspec = from_command(["echo", "🥔️"], Options())
    assert await SubmitJob(jobspec).run(flux) == 1234
    payload = broker.requests[0].json
    assert (payload["urgency"], payload["flags"]) == (16, 0)
    signed, _userid = sign.unwrap(payload["J"])
    assert orjson.loads(signed) == jobspec


def test_a_jobspec_is_completed_only_where_it_says_nothing():
    bare = from_command(["true"], Options())
    del bare["attributes"]["system"]["environment"]
    system = complete(bare, {"A": "1"}, "/home")["attributes"]["system"]
    assert (system["environment"], system["cwd"]) == ({"A": "1"}, "/home")
    assert "environment" not in bare["attributes"]["system"]
    own = from_command(["true"], Options(cwd="/tmp", environment={"B": "2"}))
    system = complete(own, {"A": "1"}, "/home")["attributes"]["system"]
    assert (system["environment"], system["cwd"]) == ({"B": "2"}, "/tmp")


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("", 1, "jobspec is empty"),
        ("version: 1\nresources: [\n", 3, None),
        ("version: 9\nresources: []\ntasks: []\nattributes: {}\n", 1, "version must be 1"),
        ("[1, 2]", 1, "jobspec must be a mapping"),
    ],
)
def test_a_fault_has_its_line(text, line, fault):
    checked = check(text)
    assert checked.jobspec is None
    assert checked.fault.line == line
    assert fault is None or checked.fault.text == fault


async def test_the_search_path_of_a_rank(broker):
    broker.answers["broker.getenv"] = lambda _req: {"env": {"FLUX_MODULE_PATH": "/a:/b"}}
    flux = await broker.dial("")
    assert await SearchPath(2).run(flux) == "/a:/b"
    broker.answers["broker.getenv"] = lambda _req: {"env": {}}
    assert await SearchPath(2).run(flux) == ""


async def test_debug_flags_are_read_without_changing_them(broker):
    broker.answers["kvs.debug"] = lambda req: {"flags": req.json["flags"] | 4}
    flux = await broker.dial("")
    assert await DebugFlags(1, "kvs").run(flux) == 4
    assert broker.requests[-1].json == {"op": "setbit", "flags": 0}
    assert await DebugFlags(1, "kvs", 3).run(flux) == 7
    assert broker.requests[-1].json == {"op": "set", "flags": 3}


async def test_statistics_are_asked_for_again(broker, monkeypatch):
    monkeypatch.setattr("fluxtop.data.modules.PAUSE", 0)
    answers = [{"n": 2}, {"n": 1}]

    def stats(_req):
        if not answers:
            raise OSError(errno.ENOSYS, "over")
        return answers.pop()

    broker.answers["kvs.stats-get"] = stats
    flux = await broker.dial("")
    got: list[object] = []
    with pytest.raises(OSError, match="over"):
        await ModuleStats(0, "kvs").follow(flux, got.append)
    assert got == [{"n": 1}, {"n": 2}]


async def test_active_jobs_are_those_that_have_not_ended(broker):
    states = {"depend": 0, "sched": 2, "run": 1, "cleanup": 0, "inactive": 7, "total": 10}
    broker.answers["job-list.job-stats"] = lambda _req: {"job_states": states}
    assert await CountActive().run(await broker.dial("")) == 3
