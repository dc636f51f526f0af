"""The broker's own services, over real sockets (CONTRACTS A8, A9, A17, A25, A30-A34, A40-A42)."""

import asyncio
import base64
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import Method
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event, request
from support.instance import NO_RC, LocalInstance
from support.refused import refused

EPROTO = (errno.EPROTO, os.strerror(errno.EPROTO))
EINVAL = (errno.EINVAL, os.strerror(errno.EINVAL))
ENOENT = (errno.ENOENT, os.strerror(errno.ENOENT))
OWNER_ONLY = (errno.EPERM, "Request requires owner credentials")


@pytest.fixture
async def guest(one: LocalInstance, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flux]:
    """The owner, posing as user 42."""
    monkeypatch.setenv("FLUX_HANDLE_USERID", "42")
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", str(c.ROLE_USER))
    async with await one.connect() as handle:
        yield handle


# -- attr (A30) -----------------------------------------------------------------------------


async def test_attributes(flux: Flux) -> None:
    answer = (await flux.rpc("attr.get", {"name": "size"})).json
    assert answer == {"value": "1", "flags": 1}
    assert (await flux.rpc("attr.get", {"name": "log-stderr-level"})).json["flags"] == 0
    await flux.rpc("attr.set", {"name": "test.x", "value": "1"})
    names = (await flux.rpc("attr.list")).json["names"]
    assert {"rank", "size", "local-uri", "test.x"} <= set(names)
    await flux.rpc("attr.set", {"name": "test.x", "value": "2"})
    assert await flux.attr("test.x") == "2"
    await flux.rpc("attr.rm", {"name": "test.x"})
    assert await refused(flux.rpc("attr.get", {"name": "test.x"})) == ENOENT


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("attr.get", {"name": "nosuch"}, ENOENT),
        ("attr.get", {}, EPROTO),
        ("attr.get", {"name": 1}, EPROTO),
        ("attr.get", None, EPROTO),
        ("attr.get", b"{}", EPROTO),
        ("attr.set", {"name": "nosuch", "value": "1"}, (errno.ENOENT, "unknown attribute")),
        (
            "attr.set",
            {"name": "rundir", "value": "/x"},
            (errno.EINVAL, "attribute may not be updated"),
        ),
        ("attr.set", {"name": "rank", "value": "5", "force": True}, (errno.EPERM, None)),
        ("attr.set", {"name": "test.x", "value": 1}, EPROTO),
        ("attr.set", {"name": "test.x"}, EPROTO),
        ("attr.set", {"name": "test.x", "value": "1", "force": 1}, EPROTO),
        ("attr.rm", {"name": "rank"}, (errno.EPERM, None)),
        (
            "attr.set",
            {"name": "log-stderr-level", "value": "9"},
            (errno.EINVAL, "invalid level"),
        ),
        (
            "attr.set",
            {"name": "test-rd.x", "value": "1"},
            (errno.ENOSYS, "No service matching testrd.setattr is registered"),
        ),
    ],
)
async def test_attribute_errors(
    flux: Flux, topic: str, payload: object, error: tuple[int, str | None]
) -> None:
    errnum, text = await refused(flux.rpc(topic, payload))
    assert (errnum, text) == (error[0], error[1] or os.strerror(error[0]))


async def test_an_attribute_that_another_service_approves_of(flux: Flux) -> None:
    asked: list[dict[str, str]] = []

    def approve(req: Message) -> None:
        asked.append(req.json)
        if req.json["value"] == "bad":
            raise OSError(errno.EDOM, "not that")

    flux.core.add_method("testrd.setattr", Method(approve, c.ROLE_ALL))
    await flux.add_service("testrd")
    await flux.rpc("attr.set", {"name": "test-rd.x", "value": "good"})
    assert asked == [{"name": "test-rd.x", "value": "good"}]
    error = await refused(flux.rpc("attr.set", {"name": "test-rd.x", "value": "bad"}))
    assert error == (errno.EDOM, "not that")
    assert await flux.attr("test-rd.x") == "good"


async def test_who_may_use_attributes(guest: Flux) -> None:
    assert await guest.attr("size") == "1"
    for topic in ("attr.set", "attr.rm"):
        assert await refused(guest.rpc(topic, {"name": "test.x", "value": "1"})) == OWNER_ONLY


# -- log (A32) ------------------------------------------------------------------------------


def line(text: str, severity: int = 7, rank: int = 0) -> bytes:
    return f"<{severity << 3}>1 2026-11-22T07:31:21.140613Z {rank} me 1 - - {text}".encode()


async def dmesg(flux: Flux, **options: bool) -> list[str]:
    payload = {"follow": False, **options}
    got = [msg.data or b"" async for msg in flux.stream("log.dmesg", payload)]
    assert all(data.endswith(b"\0") for data in got)
    return [data.rstrip(b"\0").decode().rpartition(" - - ")[2] for data in got]


async def test_the_log(flux: Flux) -> None:
    await flux.rpc("log.clear")
    await flux.rpc("log.append", line("one"))
    await flux.rpc("log.append", line("two") + b"\0")
    assert await dmesg(flux) == ["one", "two"]
    stats = (await flux.rpc("log.stats-get")).json
    assert stats["ring-used"] == 2
    assert set(stats) == {"ring-used", "count", "local", "remote"}
    await flux.rpc("log.clear")
    assert await dmesg(flux) == []
    assert await dmesg(flux, nobacklog=True) == []


async def test_a_line_that_nobody_waits_for_is_not_answered(flux: Flux) -> None:
    """CONTRACTS A14: log.append comes without a matchtag and without NORESPONSE."""
    await flux.rpc("log.clear")
    received = flux.core.stats()["rx"]["response"]
    flux.core.send(request("log.append", line("quiet")))
    assert await dmesg(flux) == ["quiet"]
    assert flux.core.stats()["rx"]["response"] == received + 2  # the line and the end of dmesg


async def test_following_the_log(one: LocalInstance, flux: Flux) -> None:
    await flux.rpc("log.clear")
    async with (
        await one.connect() as other,
        other.stream("log.dmesg", {"follow": True, "nobacklog": True}, cancel="log.cancel") as log,
    ):
        await other.rpc("attr.list")  # the stream is established
        for text in ("one", "two"):
            await flux.rpc("log.append", line(text))
        assert [((await anext(log)).data or b"")[-4:] for _ in range(2)] == [b"one\0", b"two\0"]
        log.cancel()
        assert [msg async for msg in log] == []


@pytest.mark.parametrize(
    ("payload", "stream"),
    [({"follow": False}, False), ({}, True), ({"follow": 1}, True), (None, True)],
)
async def test_dmesg_errors(flux: Flux, payload: object, stream: bool) -> None:
    flags = c.STREAMING if stream else 0
    assert await refused(flux.rpc("log.dmesg", payload, flags=flags)) == EPROTO


async def test_the_level_of_stderr(flux: Flux, capsys: pytest.CaptureFixture[str]) -> None:
    await flux.rpc("log.append", line("hidden", severity=4))
    await flux.rpc("attr.set", {"name": "log-stderr-level", "value": "4"})
    await flux.rpc("log.append", line("shown", severity=4))
    assert capsys.readouterr().err == "Nov 22 07:31:21.140613 UTC 2026 me.warning[0]: shown\n"
    assert await refused(flux.rpc("log.setattr", {"name": "x", "value": "1"})) == (
        errno.EINVAL,
        "unknown log attribute",
    )


async def test_bytes_that_are_no_log_line(flux: Flux) -> None:
    await flux.rpc("log.clear")
    for data in (b"", b"\xff\xfe", "<\u00b2>1 a b c d - - x".encode(), None):
        await flux.rpc("log.append", data)
    await flux.rpc("log.append", line("still there"))
    assert await dmesg(flux) == ["still there"]


# -- event (A8, A17) ------------------------------------------------------------------------


async def test_publishing(flux: Flux) -> None:
    got: list[Message] = []
    await flux.subscribe("a.", got.append)
    encoded = base64.b64encode(b'{"n":1}\0').decode()
    answer = await flux.rpc("event.publish", {"topic": "a.x", "flags": 0, "payload": encoded})
    assert [msg.json for msg in got] == [{"n": 1}], "subscribers have it before the answer"
    assert got[0].seq == answer.json["seq"]
    assert (got[0].userid, got[0].rolemask) == (os.getuid(), c.ROLE_OWNER | c.ROLE_LOCAL)
    flux.publish("a.y", {"n": 2})
    flux.publish("b.y")
    second = await flux.rpc("event.publish", {"topic": "a.z", "flags": c.PRIVATE})
    assert [(msg.topic, msg.seq) for msg in got] == [
        ("a.x", answer.json["seq"]),
        ("a.y", answer.json["seq"] + 1),
        ("a.z", second.json["seq"]),
    ]
    assert second.json["seq"] == answer.json["seq"] + 3
    await flux.unsubscribe("a.", got.append)


@pytest.mark.parametrize(
    "payload",
    [
        {"topic": "a"},
        {"flags": 0},
        {"topic": "a", "flags": 1},
        {"topic": "a", "flags": 0xFF},
        {"topic": "a", "flags": 0, "payload": "not base64!"},
        {"topic": "a", "flags": 0, "payload": "a"},
        {"topic": "a", "flags": 0, "payload": 1},
        {"topic": "a", "flags": 0, "payload": "ü"},
    ],
)
async def test_publish_errors(flux: Flux, payload: object) -> None:
    assert await refused(flux.rpc("event.publish", payload)) == EPROTO


async def test_subscriptions_are_counted_by_client(flux: Flux) -> None:
    got: list[str | None] = []
    flux.core.add_event_handler("", lambda msg: got.append(msg.topic))
    for _ in range(2):
        await flux.rpc("event.subscribe", {"topic": "a"})
    await flux.rpc("event.unsubscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "ab", "flags": 0})
    await flux.rpc("event.unsubscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "ab", "flags": 0})
    assert got == ["ab"]
    assert await refused(flux.rpc("event.unsubscribe", {"topic": "a"})) == ENOENT
    for topic in ("event.subscribe", "event.unsubscribe"):
        assert await refused(flux.rpc(topic, {})) == EPROTO


async def test_one_client_leaves_the_others_subscriptions_alone(
    one: LocalInstance, flux: Flux
) -> None:
    got: list[str | None] = []
    await flux.subscribe("a", lambda msg: got.append(msg.topic))
    async with await one.connect() as other:
        await other.rpc("event.subscribe", {"topic": "a"})
    await flux.rpc("event.publish", {"topic": "a", "flags": 0})
    assert got == ["a"]


async def test_private_events_are_for_the_owner_and_who_sent_them(
    one: LocalInstance, flux: Flux, guest: Flux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guests here are the owner in a pose, who sees all: who may see is in test_access."""
    got: list[int] = []
    await flux.subscribe("p", lambda msg: got.append(msg.userid))
    guest.publish("p", private=True)
    await guest.rpc("event.publish", {"topic": "p", "flags": c.PRIVATE})
    await flux.rpc("attr.list")
    assert got == [42, 42]


# -- service (A9) ---------------------------------------------------------------------------


async def test_a_client_serves(one: LocalInstance, flux: Flux) -> None:
    flux.core.add_method("potato.mash", Method(lambda req: {"of": req.routes[0]}, c.ROLE_ALL))
    await flux.add_service("potato")
    async with await one.connect() as other:
        first = (await other.rpc("potato.mash")).json
        assert (await other.rpc("potato.mash")).json == first
        assert await refused(other.rpc("potato.fry")) == (
            errno.ENOSYS,
            "Unknown service method 'potato.fry'",
        )
        for client in (flux, other):
            assert await refused(client.add_service("potato")) == (errno.EEXIST, "File exists")
        assert await refused(other.remove_service("potato")) == ENOENT
        await flux.remove_service("potato")
        assert await refused(other.rpc("potato.mash")) == (
            errno.ENOSYS,
            "No service matching potato.mash is registered",
        )
        await other.add_service("potato")


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("service.add", {"service": "a.b"}, EINVAL),
        ("service.add", {"service": ""}, EINVAL),
        ("service.add", {"service": "log"}, (errno.EEXIST, "File exists")),
        ("service.add", {"service": "config"}, (errno.EEXIST, "File exists")),
        ("service.add", {}, EPROTO),
        ("service.remove", {"service": "nosuch"}, ENOENT),
        ("service.remove", {"service": "log"}, ENOENT),
        ("service.remove", {}, EPROTO),
    ],
)
async def test_service_errors(
    flux: Flux, topic: str, payload: object, error: tuple[int, str]
) -> None:
    assert await refused(flux.rpc(topic, payload)) == error
    assert await refused(flux.rpc(topic, payload)) == error, "it has left nothing behind"


async def test_a_client_that_goes_takes_its_service_and_answers_nobody(
    one: LocalInstance, flux: Flux
) -> None:
    other = await one.connect()
    await other.add_service("potato")
    asked = flux.loop.create_future()
    other.core.set_fallback(Method(lambda req: asked.set_result(req) or _deferred(), c.ROLE_ALL))
    call = flux.rpc("potato.mash")
    await asked
    await other.close()
    assert await refused(call) == (errno.EHOSTUNREACH, "service disconnect")
    assert (await refused(flux.rpc("potato.mash")))[0] == errno.ENOSYS
    await flux.add_service("potato")


def _deferred() -> object:
    from fluxcore.handle.service import DEFERRED

    return DEFERRED


# -- the broker's environment (A34) ---------------------------------------------------------


async def test_the_environment(flux: Flux, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_TEST_A", "1")
    monkeypatch.delenv("FLUX_TEST_B", raising=False)
    names = ["FLUX_TEST_A", "FLUX_TEST_B"]
    assert (await flux.rpc("broker.getenv", {"names": names})).json == {"env": {names[0]: "1"}}
    await flux.rpc("broker.setenv", {"env": {names[0]: None, names[1]: "2"}})
    assert (await flux.rpc("broker.getenv", {"names": names})).json == {"env": {names[1]: "2"}}


@pytest.mark.parametrize(
    "env", [{"": "1"}, {"a=b": "1"}, {"a\0": "1"}, {"a": "\0"}, {"a": 1}, {"a": True}, [], "x"]
)
async def test_an_environment_that_is_none(flux: Flux, env: object) -> None:
    assert await refused(flux.rpc("broker.setenv", {"env": env})) == EPROTO
    assert "a" not in os.environ


@pytest.mark.parametrize("names", [[1], ["PATH", None], "x", None])
async def test_names_that_are_none(flux: Flux, names: object) -> None:
    assert await refused(flux.rpc("broker.getenv", {"names": names})) == EPROTO


async def test_where_things_are_installed(flux: Flux) -> None:
    values = (await flux.rpc("broker.conf-builtin", {"keys": ["rundir"]})).json["values"]
    assert values == {"rundir": await flux.attr("rundir")}
    assert (await refused(flux.rpc("broker.conf-builtin", {"keys": [[]]})))[0] == errno.EPROTO
    error = await refused(flux.rpc("broker.conf-builtin", {"keys": ["nosuch"]}))
    assert error == (errno.EINVAL, "nosuch: invalid key")


# -- what every module answers, the broker itself too (A25) ---------------------------------


async def test_ping(flux: Flux) -> None:
    answer = (await flux.rpc("broker.ping", {"seq": 1, "pad": "x"})).json
    assert answer.pop("route").count("!") == 2
    assert answer == {
        "seq": 1,
        "pad": "x",
        "userid": os.getuid(),
        "rolemask": c.ROLE_OWNER | c.ROLE_LOCAL,
        "rank": 0,
    }
    answer = (await flux.rpc("config.ping", {})).json
    assert answer["route"].count("!") == 3
    assert await refused(flux.rpc("broker.ping", b"{")) == EPROTO
    assert await refused(flux.rpc("broker.ping")) == EPROTO


async def test_rusage(flux: Flux) -> None:
    for payload in (None, {}, {"who": "self"}, {"who": "children"}, {"who": "thread"}):
        answer = (await flux.rpc("config.rusage", payload)).json
        assert answer["maxrss"] >= 0
        assert len(answer) == 16
    assert await refused(flux.rpc("broker.rusage", {"who": "you"})) == (
        errno.EINVAL,
        "you is unsupported",
    )
    assert await refused(flux.rpc("broker.rusage", {"who": 1})) == EPROTO


async def test_debug_flags(flux: Flux) -> None:
    for op, flags, now in (
        ("setbit", 0x10001, 0x10001),
        ("clrbit", 0x1, 0x10000),
        ("set", 0x5, 0x5),
        ("setbit", 0x2, 0x7),
        ("clr", 0, 0),
    ):
        answer = await flux.rpc("config.debug", {"op": op, "flags": flags})
        assert answer.json == {"flags": now}
    for payload in ({"op": "nosuch", "flags": 1}, {"op": "set"}, {"flags": 1}):
        assert await refused(flux.rpc("config.debug", payload)) == EPROTO


async def test_statistics(flux: Flux) -> None:
    await flux.rpc("config.stats-clear")
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 1
    await flux.rpc("config.ping", {})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 3
    await flux.rpc("event.publish", {"topic": "config.stats-clear", "flags": 0})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == 1


async def test_what_guests_may_ask(guest: Flux) -> None:
    for topic in ("broker.ping", "config.ping"):
        assert (await guest.rpc(topic, {})).json["userid"] == 42
    await guest.rpc("config.stats-get")
    await guest.rpc("config.rusage")
    await guest.rpc("module.list")
    await guest.rpc("state-machine.get")
    for topic in (
        "config.stats-clear",
        "config.debug",
        "config.config-reload",
        "config.reload",
        "module.load",
        "module.remove",
        "module.trace",
        "log.dmesg",
        "log.clear",
        "broker.setenv",
        "runat.push",
        "shutdown.start",
        "state-machine.post",
    ):
        assert await refused(guest.rpc(topic, {})) == OWNER_ONLY, topic


async def test_a_guests_event_moves_no_module(flux: Flux, guest: Flux) -> None:
    await flux.rpc("config.ping", {})
    before = (await flux.rpc("config.stats-get")).json["rx"]["request"]
    await guest.rpc("event.publish", {"topic": "config.stats-clear", "flags": 0})
    assert (await flux.rpc("config.stats-get")).json["rx"]["request"] == before + 1


# -- state-machine, shutdown, runat (A40-A42) -----------------------------------------------


async def test_the_state(flux: Flux) -> None:
    answer = (await flux.rpc("state-machine.get")).json
    assert answer["state"] == "run"
    assert 0 <= answer["duration"] < 30
    assert (await flux.rpc("state-machine.wait")).data is None
    assert (await flux.rpc("state-machine.monitor")).json == {"state": 5}
    assert await refused(flux.rpc("state-machine.monitor", {"final": 3})) == (
        errno.ENODATA,
        "No data available",
    )


async def test_posting_an_event_is_a_one_way_affair(flux: Flux) -> None:
    assert await refused(flux.rpc("state-machine.post", {"event": "panic"})) == EPROTO
    flux.notify("state-machine.post", {"event": "nonsense"})
    assert (await flux.rpc("state-machine.get")).json["state"] == "run"


async def test_the_way_down_is_streamed_to_who_asked(
    local_instance: Callable[..., AbstractAsyncContextManager[LocalInstance]],
) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst:
        flux, other = await inst.connect(), await inst.connect()
        monitor = other.stream("state-machine.monitor")
        assert (await anext(monitor)).json == {"state": 5}
        await flux.rpc("runat.push", {"name": "cleanup", "commands": ["echo tidy", "exit 0"]})
        down = flux.stream("shutdown.start", {"loglevel": 6})
        assert await refused(other.rpc("shutdown.start")) == (
            errno.EINVAL,
            "shutdown is already in progress",
        )
        text = "".join([msg.json["log"] async for msg in down])
        states = [msg.json["state"] async for msg in _until_lost(monitor)]
        await flux.close()
        await other.close()
    assert "broker.info[0]: shutdown: run->cleanup" in text
    assert "cleanup.0: echo tidy" in text or "cleanup.1: tidy" in text
    assert states[:3] == [6, 7, 8]


async def _until_lost(stream: AsyncIterator[Message]) -> AsyncIterator[Message]:
    try:
        async for msg in stream:
            yield msg
    except ConnectionResetError:
        return


async def test_commands_pushed_last_run_first(
    local_instance: Callable[..., AbstractAsyncContextManager[LocalInstance]],
    short_path: object,
) -> None:
    out = f"{short_path}/out"
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        commands = [f"echo {n} >>{out}" for n in (1, 2)]
        await flux.rpc("runat.push", {"name": "cleanup", "commands": commands})
        await flux.rpc("runat.push", {"name": "cleanup", "commands": [f"echo 3 >>{out}"]})
        errors = [
            await refused(flux.rpc("runat.push", {"name": "x", "commands": commands}))
            for commands in ([], [""], [1])
        ]
    assert errors == [
        (errno.EPROTO, "commands array is empty"),
        (errno.EPROTO, "cannot push an empty command line"),
        (errno.EPROTO, "cannot push an empty command line"),
    ]
    with open(out) as file:
        assert file.read() == "3\n2\n1\n"


async def test_shutdown_twice_and_from_the_wrong_rank(
    local_instance: Callable[..., AbstractAsyncContextManager[LocalInstance]],
) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect(1) as flux:
        assert await refused(flux.rpc("shutdown.start", nodeid=1)) == (
            errno.EINVAL,
            "shutdown may only be initiated on rank 0",
        )
        assert await refused(flux.rpc("event.publish", {"topic": "a", "flags": 0}, nodeid=1)) == (
            errno.EPROTO,
            "this service is only available on rank 0",
        )
        error = await refused(flux.rpc("config.load", {"a": 1}, nodeid=1))
        assert error == (errno.EINVAL, "configuration can only be changed on rank 0")


async def test_events_reach_every_rank(
    local_instance: Callable[..., AbstractAsyncContextManager[LocalInstance]],
) -> None:
    async with local_instance(4, setattrs=NO_RC) as inst:
        handles = [await inst.connect(rank) for rank in range(4)]
        arrived = [asyncio.Event() for _ in handles]
        got: list[list[Message]] = [[] for _ in handles]
        for n, flux in enumerate(handles):

            def take(msg: Message, n: int = n) -> None:
                got[n].append(msg)
                if len(got[n]) == 4:
                    arrived[n].set()

            await flux.subscribe("a.", take)
        for n, flux in enumerate(handles):
            flux.core.send(event(f"a.{n}", {"n": n}))
        for each in arrived:
            await each.wait()
        for flux in handles:
            await flux.close()
    orders = [[(msg.topic, msg.seq) for msg in messages] for messages in got]
    assert orders[0] == orders[1] == orders[2] == orders[3], "all see the same order"
    assert sorted(topic or "" for topic, _seq in orders[0]) == ["a.0", "a.1", "a.2", "a.3"]
    assert {msg.rolemask for msg in got[3] if msg.topic == "a.0"} == {c.ROLE_OWNER}, "LOCAL ends"


async def test_ranks_and_routes(
    local_instance: Callable[..., AbstractAsyncContextManager[LocalInstance]],
) -> None:
    async with local_instance(7, setattrs=NO_RC) as inst, await inst.connect(6) as flux:
        for rank in range(7):
            answer = (await flux.rpc("broker.ping", {}, nodeid=rank)).json
            assert answer["rank"] == rank
            assert bool(answer["rolemask"] & c.ROLE_LOCAL) is (rank == 6)
        up = (await flux.rpc("broker.ping", {}, nodeid=6, flags=c.UPSTREAM)).json
        assert up["rank"] == 2
        for nodeid in (7, 1000, c.NODEID_ANY - 1):
            error = await refused(flux.rpc("broker.ping", {}, nodeid=nodeid))
            assert error == (errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        text = "No service matching nope.x is registered"
        for nodeid in (c.NODEID_ANY, 6, 5, 0):
            assert await refused(flux.rpc("nope.x", nodeid=nodeid)) == (errno.ENOSYS, text)
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect(0) as flux:
        error = await refused(flux.rpc("broker.ping", {}, nodeid=0, flags=c.UPSTREAM))
        assert error[0] == errno.EHOSTUNREACH
