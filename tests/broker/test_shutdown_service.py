"""The state of a broker, its way down, and what it runs then (CONTRACTS A40-A42)."""

import errno
from collections.abc import AsyncIterator

from fluxcore.handle.aio import Flux
from fluxcore.wire.message import Message
from support.instance import NO_RC, MakeLocal
from support.refused import EPROTO, refused


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
    local_instance: MakeLocal,
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
    local_instance: MakeLocal,
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
