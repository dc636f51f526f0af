"""barrier: clients wait for each other, on one broker and on four (CONTRACTS H3)."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message
from support.instance import NO_RC, LocalInstance, MakeLocal
from support.refused import refused
from support.wired import Wired


@asynccontextmanager
async def clients(
    local_instance: MakeLocal, size: int, count: int
) -> AsyncIterator[tuple[LocalInstance, list[Flux]]]:
    """``count`` clients, spread over an instance of ``size`` with barrier on every rank."""
    async with local_instance(size, setattrs=NO_RC) as inst, AsyncExitStack() as stack:
        first = await stack.enter_async_context(await inst.connect(0))
        for rank in range(size):
            await first.rpc("module.load", {"path": "barrier", "args": []}, nodeid=rank)
        handles = [
            await stack.enter_async_context(await inst.connect(n % size)) for n in range(count)
        ]
        yield inst, handles
        for rank in range(size):
            await first.rpc("module.remove", {"name": "barrier"}, nodeid=rank)


def enter(flux: Flux, name: str, count: Any) -> Any:
    return flux.rpc("barrier.enter", {"name": name, "count": count})


@pytest.mark.parametrize("size", [1, 4])
async def test_all_leave_when_the_last_has_come(local_instance: MakeLocal, size: int) -> None:
    async with clients(local_instance, size, 8) as (_inst, handles):
        for name in ("one", "one", "two"):
            calls = [enter(flux, name, 8) for flux in handles[:-1]]
            for flux in handles[:-1]:
                await flux.rpc("broker.ping", {})
            assert not any(call.ended for call in calls)
            await asyncio.gather(*map(_done, [*calls, enter(handles[-1], name, 8)]))


async def next_event(flux: Flux, topic: str) -> asyncio.Future[None]:
    """Done when the next event with ``topic`` has come."""
    future = asyncio.get_running_loop().create_future()

    def note(_msg: Message) -> None:
        if not future.done():
            future.set_result(None)

    await flux.subscribe(topic, note)
    return future


async def _done(call: Any) -> None:
    await call


async def test_a_barrier_of_one(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 4, 4) as (_inst, handles):
        for flux in handles:
            await enter(flux, "alone", 1)


async def test_one_client_may_come_several_times(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 1, 1) as (_inst, (flux,)):
        calls = [enter(flux, "b", 3) for _ in range(3)]
        for call in calls:
            await call


async def test_barriers_of_different_names_do_not_mix(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 1, 2) as (_inst, (one, two)):
        first = enter(one, "a", 2)
        await enter(two, "b", 1)
        assert not first.ended
        await enter(two, "a", 2)
        await first


async def test_a_client_that_goes_fails_its_barrier(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 4, 4) as (inst, handles):
        failed = [await next_event(flux, "barrier.exit") for flux in handles]
        calls = [enter(flux, "b", 5) for flux in handles]
        await handles[3].rpc("broker.ping", {})
        async with await inst.connect(3) as leaver:
            enter(leaver, "b", 6).then(lambda _msg: None)
            gone = enter(leaver, "c", 3)
            waiting = enter(handles[0], "c", 3)
            await leaver.rpc("broker.ping", {})
        assert gone.ended
        assert (await refused(waiting))[0] == errno.ECONNABORTED
        # The name is free again, on each broker that has heard of it.
        await asyncio.gather(*failed)
        again = [enter(flux, "c", 4) for flux in handles]
        await asyncio.gather(*map(_done, again))
        await asyncio.gather(*map(_done, [*calls, enter(handles[0], "b", 5)]))


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"name": "b", "count": 0}, errno.EINVAL),
        ({"name": "b", "count": -1}, errno.EINVAL),
        ({"name": "b", "count": "1"}, errno.EPROTO),
        ({"count": 1}, errno.EPROTO),
        ({"name": 1, "count": 1}, errno.EPROTO),
        (None, errno.EPROTO),
        ({"name": "b", "count": 1, "internal": True}, errno.EPROTO),
        ({"name": "b", "count": 1, "internal": 1}, errno.EPROTO),
    ],
)
async def test_an_entry_that_is_refused(
    local_instance: MakeLocal, payload: Any, error: int
) -> None:
    async with clients(local_instance, 1, 1) as (_inst, (flux,)):
        assert (await refused(flux.rpc("barrier.enter", payload)))[0] == error


async def test_all_must_agree_on_how_many_are_awaited(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 1, 2) as (_inst, (one, two)):
        first = enter(one, "b", 2)
        assert await refused(enter(two, "b", 3)) == (errno.EINVAL, "b: 2 are awaited, not 3")
        await enter(two, "b", 2)
        await first


async def test_those_who_wait_when_it_is_removed(local_instance: MakeLocal) -> None:
    async with clients(local_instance, 1, 1) as (_inst, (flux,)):
        call = enter(flux, "b", 2)
        await flux.rpc("broker.ping", {})
        await flux.rpc("module.remove", {"name": "barrier"})
        assert (await refused(call))[0] == errno.ENOSYS
        await flux.rpc("module.load", {"path": "barrier", "args": []})


async def test_a_guest_cannot_end_anybodys_barrier(local_instance: MakeLocal) -> None:
    from fluxcore.wire import constants as c
    from fluxcore.wire.message import event

    async with clients(local_instance, 1, 1) as (_inst, (flux,)):
        call = enter(flux, "b", 2)
        forged = event("barrier.exit", {"name": "b", "errnum": 0}, userid=42, rolemask=c.ROLE_USER)
        flux.core.send(forged)
        await flux.rpc("broker.ping", {})
        assert not call.ended
        await enter(flux, "b", 2)
        await call


async def test_failures_are_not_remembered_for_ever(
    instance: Callable[..., Awaitable[Wired]],
) -> None:
    wired = await instance(1)
    await wired.load("barrier")
    for number in range(300):
        client = wired.client(0, 99, c.ROLE_USER)
        client.flux.rpc("barrier.enter", {"name": f"b{number}", "count": 2})
        await client.gone("barrier")
    barrier = wired.module("barrier")
    assert len(barrier._failed) == 256
    assert "b299" in barrier._failed
    assert barrier._barriers == {}


async def test_a_guest_cannot_speak_for_a_broker(
    instance: Callable[..., Awaitable[Wired]],
) -> None:
    wired = await instance(1)
    await wired.load("barrier")
    guest = wired.client(0, 99, c.ROLE_USER)
    entry = {"name": "b", "count": 1, "nprocs": 2, "internal": True, "since": 0}
    assert (await refused(guest.flux.rpc("barrier.enter", entry)))[0] == errno.EPERM
    assert wired.module("barrier")._barriers == {}
