"""groups: named sets of brokers (CONTRACTS A36, H8)."""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.resource.idset import IdSet
from fluxcore.wire import constants as c
from support.instance import NO_RC, MakeLocal
from support.refused import refused
from support.wired import Wired


@asynccontextmanager
async def handles(local_instance: MakeLocal, size: int) -> AsyncIterator[list[Flux]]:
    """A handle for each rank."""
    async with local_instance(size, setattrs=NO_RC) as inst, AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await inst.connect(n)) for n in range(size)]


async def members(flux: Flux, name: str) -> str:
    return str((await flux.rpc("groups.get", {"name": name}, nodeid=0)).json["members"])


async def until(stream: Any, wanted: str) -> None:
    async for msg in stream:
        if msg.json["members"] == wanted:
            return


@pytest.mark.parametrize("size", [1, 4])
async def test_joining_and_leaving(local_instance: MakeLocal, size: int) -> None:
    everybody = IdSet(range(size)).encode()
    async with handles(local_instance, size) as all_:
        watch = all_[0].stream("groups.get", {"name": "g"})
        assert (await anext(watch)).json == {"members": ""}
        for flux in all_:
            await flux.rpc("groups.join", {"name": "g"})
        await until(watch, everybody)
        assert await members(all_[-1], "g") == everybody
        await all_[-1].rpc("groups.leave", {"name": "g"})
        await until(watch, IdSet(range(size - 1)).encode())
        assert await members(all_[0], "broker.online") == everybody


@pytest.mark.parametrize("rank", [0, 3])
async def test_what_is_refused(local_instance: MakeLocal, rank: int) -> None:
    async with handles(local_instance, 4) as all_:
        flux = all_[rank]
        await flux.rpc("groups.join", {"name": "g"})
        text = f"rank {rank} is already a member of g"
        assert await refused(flux.rpc("groups.join", {"name": "g"})) == (errno.EEXIST, text)
        text = f"rank {rank} is not a member of x"
        assert await refused(flux.rpc("groups.leave", {"name": "x"})) == (errno.ENOENT, text)
        for topic in ("groups.join", "groups.leave", "groups.get"):
            assert (await refused(flux.rpc(topic, {}, nodeid=0)))[0] == errno.EPROTO
        if rank:
            for topic in ("groups.join", "groups.leave"):
                call = flux.rpc(topic, {"name": "g"}, nodeid=0)
                text = f"{topic} is restricted to the local broker"
                assert await refused(call) == (errno.EPROTO, text)
            error = await refused(flux.rpc("groups.get", {"name": "g"}))
            assert error == (errno.EPROTO, "this RPC is only available on rank 0")
        assert await members(flux, "nobody knows it") == ""


async def test_joining_and_leaving_at_once_comes_to_nothing(local_instance: MakeLocal) -> None:
    """What changes back and forth before it is sent up is the last of it."""
    async with handles(local_instance, 4) as all_:
        flux = all_[3]
        watch = all_[0].stream("groups.get", {"name": "g"})
        await anext(watch)
        for _ in range(10):
            await flux.rpc("groups.join", {"name": "g"})
            await flux.rpc("groups.leave", {"name": "g"})
        await flux.rpc("groups.join", {"name": "g"})
        await flux.rpc("groups.join", {"name": "last"})
        last = all_[0].stream("groups.get", {"name": "last"})
        await until(last, "3")
        assert await members(flux, "g") == "3"
        assert (await flux.rpc("groups.stats-get", nodeid=1)).json["subtree"]["g"] == "3"


async def test_a_subtree_that_is_gone_leaves_every_group(local_instance: MakeLocal) -> None:
    async with (
        local_instance(4, setattrs=NO_RC, exit_codes=[0, 1, 0, 0]) as inst,
        await inst.connect(0) as flux,
    ):
        watch = flux.stream("groups.get", {"name": "broker.online"})
        await until(watch, "0-3")
        await flux.rpc("overlay.disconnect-subtree", {"rank": 1})
        await until(watch, "0,2")


async def test_watchers_come_and_go(local_instance: MakeLocal) -> None:
    async with local_instance(1, setattrs=NO_RC) as inst, await inst.connect() as flux:
        async with await inst.connect() as other:
            watch = other.stream("groups.get", {"name": "g"})
            await anext(watch)
        watch = flux.stream("groups.get", {"name": "g"})
        await anext(watch)
        await flux.rpc("groups.join", {"name": "g"})
        assert (await anext(watch)).json == {"members": "0"}


async def test_a_broker_leaves_what_a_client_that_is_gone_made_it_join(
    local_instance: MakeLocal,
) -> None:
    async with local_instance(2, setattrs=NO_RC) as inst, await inst.connect(0) as flux:
        watch = flux.stream("groups.get", {"name": "g"})
        await flux.rpc("groups.join", {"name": "g"})
        async with await inst.connect(1) as other:
            await other.rpc("groups.join", {"name": "g"})
            await until(watch, "0-1")
        await until(watch, "0")
        assert await members(flux, "broker.online") == "0-1"


async def test_a_group_that_nobody_watches_any_more_is_forgotten(
    instance: Callable[..., Awaitable[Wired]],
) -> None:
    wired = await instance(1)
    await wired.load("groups")
    watcher = wired.client(0, 99, c.ROLE_USER)
    for number in range(3):
        await anext(watcher.flux.stream("groups.get", {"name": f"g{number}"}))
    groups = wired.module("groups")
    assert len(groups._watchers) == 3
    await watcher.gone("groups")
    assert groups._watchers == {}
