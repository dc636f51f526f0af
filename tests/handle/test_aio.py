"""The asyncio handle without a connection: tasks and subscriptions."""

import asyncio
import errno

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.wire.message import Message, error_response, response


async def test_who_closes_a_handle_may_be_cancelled() -> None:
    flux = Flux(lambda _msg: None)
    winding_down, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            winding_down.set()
            await go_on.wait()

    task = flux.task(slow())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(flux.close())
    await winding_down.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    go_on.set()
    await asyncio.wait([task])


async def test_a_task_begun_while_the_handle_closes_is_cancelled_too() -> None:
    flux = Flux(lambda _msg: None)
    late: list[asyncio.Task[None]] = []

    async def begin_another() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            late.append(flux.task(asyncio.Event().wait()))

    flux.task(begin_another())
    await asyncio.sleep(0)
    await asyncio.wait_for(flux.close(), 10)
    assert late[0].cancelled()
    assert not flux.connected


async def test_a_subscription_that_is_refused_leaves_nothing() -> None:
    sent: list[Message] = []
    heard: list[str | None] = []
    flux = Flux(sent.append)
    for refusal in (errno.EPROTO, 0):
        subscribing = asyncio.ensure_future(
            flux.subscribe("x", lambda msg: heard.append(msg.topic))
        )
        await asyncio.sleep(0)
        req = sent[-1]
        flux.receive(error_response(req, refusal) if refusal else response(req, {}))
        await asyncio.wait([subscribing])
        assert (subscribing.exception() is None) == (refusal == 0)
    assert [msg.topic for msg in sent] == ["event.subscribe"] * 2
    await flux.close()
