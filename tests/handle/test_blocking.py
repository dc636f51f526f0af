"""The blocking handle, over a real socket."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.blocking import Flux
from fluxcore.handle.core import HandleCore
from fluxcore.handle.service import DEFERRED, Method
from fluxcore.handle.vigil import FIRST
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event
from support.rfc3_server import Server, echo, serving_in_thread


def serve(core: HandleCore) -> None:
    echo(core)

    def publish(req: Message) -> Any:
        for topic in req.json["topics"]:
            core.send(event(topic, {"topic": topic}))
        return None

    def hang_up(_req: Message) -> Any:
        core._send.__self__.close()
        return DEFERRED

    core.add_method("echo.publish", Method(publish))
    core.add_method("echo.hang-up", Method(hang_up))
    core.add_method(
        "attr.get", Method(lambda req: {"value": "v", "flags": int(req.json["name"] == "im")})
    )


@pytest.fixture
def server(short_path: Path) -> Iterator[Server]:
    with serving_in_thread(short_path, serve) as running:
        yield running


@pytest.fixture
def flux(server: Server) -> Iterator[Flux]:
    with Flux(server.uri) as handle:
        yield handle


def test_an_rpc(flux: Flux) -> None:
    assert flux.rpc("echo.say", {"n": 1}).json == {"n": 1}
    big = "x" * 2_000_000
    assert flux.rpc("echo.say", {"n": big}).json == {"n": big}
    with pytest.raises(OSError, match=r"Unknown service method 'echo\.what'") as caught:
        flux.rpc("echo.what")
    assert caught.value.errno == errno.ENOSYS


def test_answers_are_kept_for_who_takes_them(flux: Flux) -> None:
    pending = [flux.start("echo.say", {"n": n}) for n in range(20)]
    assert [p.get().json["n"] for p in reversed(pending)] == list(reversed(range(20)))
    assert pending[3].get().json == {"n": 3}, "the answer stays"


def test_a_deadline(flux: Flux) -> None:
    with pytest.raises(TimeoutError, match=r"echo\.never: no answer in 0\.01s"):
        flux.rpc("echo.never", timeout=0.01)
    assert flux.rpc("echo.say", {"n": 2}).json == {"n": 2}


def test_a_stream(flux: Flux) -> None:
    stream = flux.stream("echo.count", {"n": 3, "errnum": errno.ENODATA})
    assert [msg.json["i"] for msg in stream] == [0, 1, 2]
    stream = flux.stream("echo.count", {"n": 1, "errnum": errno.EPERM, "text": "no more"})
    assert next(stream).json == {"i": 0}
    with pytest.raises(PermissionError, match="no more"):
        next(stream)


def test_a_stream_that_has_ended_is_not_waited_for(flux: Flux) -> None:
    pending = flux.start("echo.count", {"n": 0, "errnum": errno.ENODATA}, flags=c.STREAMING)
    for _ in range(2):
        with pytest.raises(OSError, match="No data") as caught:
            pending.get()
        assert caught.value.errno == errno.ENODATA
    pending.cancel("echo.cancel")
    flux.rpc("echo.say", {})
    assert flux.core.stats()["tx"]["request"] == 2, "there is nothing to cancel"


def test_events_come_while_something_else_is_waited_for(flux: Flux) -> None:
    got: list[str | None] = []
    flux.subscribe("a.", lambda msg: got.append(msg.topic))
    flux.rpc("echo.publish", {"topics": ["a.1", "b.1", "a.2"]})
    assert got == ["a.1", "a.2"]


def test_what_a_function_raises_costs_no_other_message(flux: Flux) -> None:
    """Ten events and the answer come in one piece; the first event's function fails."""
    seen: list[str | None] = []

    def fail_first(msg: Message) -> None:
        seen.append(msg.topic)
        if len(seen) == 1:
            raise KeyError("oops")

    flux.subscribe("a.", fail_first)
    pending = flux.start("echo.publish", {"topics": [f"a.{n}" for n in range(10)]})
    with pytest.raises(KeyError):
        pending.get()
    pending.get()
    assert seen == [f"a.{n}" for n in range(10)]


def test_an_rpc_within_a_function_of_an_event(flux: Flux) -> None:
    got: list[Any] = []
    flux.subscribe("a.", lambda msg: got.append(flux.rpc("echo.say", msg.json).json))
    flux.rpc("echo.publish", {"topics": ["a.1", "a.2"]})
    assert sorted(answer["topic"] for answer in got) == ["a.1", "a.2"]


def test_responses_can_go_to_a_function(flux: Flux) -> None:
    seen: list[int] = []
    flux.start("echo.say", {}).then(lambda msg: seen.append(msg.errnum))
    flux.start("echo.what").then(lambda msg: seen.append(msg.errnum))
    while len(seen) < 2:
        assert flux.process(5)
    assert seen == [0, errno.ENOSYS]
    assert not flux.process(0), "nothing more has come"


def test_a_broker_that_goes_away(flux: Flux) -> None:
    with pytest.raises(ConnectionResetError):
        flux.rpc("echo.hang-up")


def test_staying_awake_for_a_quick_broker_changes_nothing_else(flux: Flux) -> None:
    assert [flux.rpc("echo.say", {"n": n}).json["n"] for n in range(2 * FIRST)] == [
        *range(2 * FIRST)
    ]
    with pytest.raises(TimeoutError, match=r"echo\.never: no answer in 0\.001s"):
        flux.rpc("echo.never", timeout=0.001)
    for n in range(4 * FIRST):
        assert flux.rpc("echo.say", {"n": n}).json == {"n": n}
    with pytest.raises(ConnectionResetError):
        flux.rpc("echo.hang-up")


def test_an_attribute_that_never_changes_is_asked_for_once(flux: Flux) -> None:
    for name, requests in (("im", 1), ("im", 1), ("runtime", 2), ("runtime", 3)):
        assert flux.attr(name) == "v"
        assert flux.core.stats()["tx"]["request"] == requests


def test_a_pose(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONTRACTS A5: the owner poses as a guest, in both handles."""
    monkeypatch.setenv("FLUX_HANDLE_USERID", "42")
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", "0x2")
    with Flux(server.uri) as flux:
        with pytest.raises(PermissionError, match="Request requires owner credentials"):
            flux.rpc("echo.say", {})
        flux.notify("echo.say", {})
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", "1")
    with Flux(server.uri) as flux:
        flux.rpc("echo.say", {})
    got = [(m.userid, m.rolemask) for conn in server.connections for m in conn.received]
    assert got[0] == (42, 2)
    assert got[-1] == (42, 1)


def test_a_handle_for_commands_imports_no_asyncio() -> None:
    code = (
        "import sys, fluxcore.handle.blocking as b\n"
        "print([m for m in ('asyncio', 'zmq', 'msgpack', 'textual') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_descriptor_beyond_what_select_can_watch(server: Server) -> None:
    import os
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1100:
        pytest.skip("not that many descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    held = []
    try:
        while not held or held[-1] < 1030:
            held.append(os.dup(0))
        with Flux(server.uri) as flux:
            assert flux.fileno() > 1024
            assert flux.rpc("echo.say", {"n": 1}, timeout=5).json == {"n": 1}
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
