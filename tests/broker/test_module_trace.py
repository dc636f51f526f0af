"""The messages of modules, traced (A24)."""

import errno

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from support.instance import LocalInstance
from support.modules import ECHO, WriteModule, every_placement, load, remove
from support.refused import refused


@every_placement
async def test_tracing(
    one: LocalInstance, flux: Flux, write_module: WriteModule, placement: str
) -> None:
    await load(flux, write_module("echo", ECHO, placement))
    async with await one.connect() as other:
        wanted = {"names": ["echo"], "typemask": 0xF, "topic_glob": "echo.*", "full": True}
        trace = other.stream("module.trace", wanted)
        await other.rpc("module.list")
        await flux.rpc("echo.say", {"n": 1})
        await flux.rpc("parrot.say")
        await refused(flux.rpc("echo.nosuch"))
        got = [(await anext(trace)).json for _ in range(4)]
    for entry in got:
        assert entry.pop("timestamp") > 1e9
        assert entry.pop("rank") == -1
    say = {"name": "echo", "topic": "echo.say", "payload": {"n": 1}, "payload_size": 8}
    fine = {"errnum": 0, "errstr": ""}
    assert got[0] == {**say, **fine, "prefix": "rx", "type": c.REQUEST}
    assert got[1] == {**say, **fine, "prefix": "tx", "type": c.RESPONSE}
    assert (got[2]["prefix"], got[2]["topic"]) == ("rx", "echo.nosuch")
    assert got[3]["errnum"] == errno.ENOSYS
    assert got[3]["errstr"] == "Unknown service method 'echo.nosuch'"
    error = await refused(flux.rpc("module.trace", wanted))
    assert error[0] == errno.EPROTO
    await remove(flux, "echo")


async def test_a_trace_of_every_module(one: LocalInstance, flux: Flux) -> None:
    async with await one.connect() as other:
        trace = other.stream("module.trace", {"typemask": c.REQUEST, "topic_glob": "*.ping"})
        await other.rpc("module.list")
        await flux.rpc("config.ping", {"n": 1})
        await flux.rpc("groups.ping", {})
        got = [(await anext(trace)).json for _ in range(2)]
    seen = {(entry["name"], entry["topic"]) for entry in got}
    assert ("connector-local", "config.ping") in seen or ("config", "config.ping") in seen
    assert all(entry["payload"] is None for entry in got)
