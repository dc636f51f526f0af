"""Calls and streams as an asyncio caller sees them; time is virtual."""

import asyncio
import errno
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import parse_line
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, request, response
from support.virtual_time import run_in_virtual_time

Story = Callable[["Rig"], Awaitable[None]]


class Rig:
    """A handle, and the requests that it has sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.flux = Flux(self.sent.append)
        self.loop = asyncio.get_running_loop()

    def answer(self, n: int = 0, payload: Any = None, errnum: int = 0) -> None:
        """Answer the ``n``-th request."""
        req = self.sent[n]
        rsp = error_response(req, errnum) if errnum else response(req, payload)
        self.flux.receive(rsp)


def play(story: Story) -> None:
    async def main() -> None:
        await story(Rig())

    run_in_virtual_time(main())


def test_a_request_leaves_before_it_is_waited_for() -> None:
    async def story(rig: Rig) -> None:
        call = rig.flux.rpc("a.b", {"n": 1}, nodeid=2)
        assert (rig.sent[0].topic, rig.sent[0].nodeid, rig.sent[0].json) == ("a.b", 2, {"n": 1})
        rig.answer(payload={"m": 1})
        assert (await call).json == {"m": 1}
        assert (await call).json == {"m": 1}, "the answer stays"

    play(story)


def test_an_answer_wakes_who_waits() -> None:
    async def story(rig: Rig) -> None:
        rig.loop.call_later(5, rig.answer)
        await rig.flux.rpc("a.b")
        assert rig.loop.time() == 5

    play(story)


def test_a_failure_is_raised() -> None:
    async def story(rig: Rig) -> None:
        call = rig.flux.rpc("a.b")
        rig.answer(errnum=errno.EEXIST)
        for _ in range(2):
            with pytest.raises(FileExistsError):
                await call

    play(story)


def test_a_deadline() -> None:
    async def story(rig: Rig) -> None:
        call = rig.flux.rpc("a.b", timeout=1.5)
        with pytest.raises(TimeoutError, match=r"a\.b: no answer in 1\.5s"):
            await call
        assert rig.loop.time() == 1.5
        with pytest.raises(TimeoutError):
            await call
        assert rig.flux.core.pending == 1, "the service may still answer under that number"
        rig.answer()
        assert rig.flux.core.pending == 0
        with pytest.raises(TimeoutError):
            await call

    play(story)


def test_an_answer_in_time_costs_no_timer() -> None:
    async def story(rig: Rig) -> None:
        rig.loop.call_later(1, rig.answer)
        await rig.flux.rpc("a.b", timeout=2)
        await asyncio.sleep(5)
        assert rig.loop.time() == 6

    play(story)


def test_a_deadline_of_a_stream_is_between_responses() -> None:
    async def story(rig: Rig) -> None:
        stream = rig.flux.stream("a.b", timeout=2, cancel="a.cancel")
        for when in (1.5, 3):
            rig.loop.call_later(when, rig.answer, 0, {"t": when})
        got = [(await anext(stream)).json["t"] for _ in range(2)]
        assert got == [1.5, 3]
        with pytest.raises(TimeoutError):
            await anext(stream)
        assert rig.loop.time() == 5
        cancel = rig.sent[1]
        assert (cancel.topic, cancel.json) == ("a.cancel", {"matchtag": rig.sent[0].matchtag})
        with pytest.raises(TimeoutError):
            await anext(stream)

    play(story)


def test_a_cancelled_wait_gives_the_call_up() -> None:
    async def story(rig: Rig) -> None:
        call = rig.flux.rpc("a.b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_await(call), 1)
        rig.answer()
        assert rig.flux.core.pending == 0
        with pytest.raises(OSError, match="canceled"):
            await call

    play(story)


async def _await(call: Awaitable[Message]) -> Message:
    return await call


def test_two_tasks_cannot_wait_for_one_answer() -> None:
    async def story(rig: Rig) -> None:
        call = rig.flux.rpc("a.b")
        first = asyncio.ensure_future(_await(call))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits"):
            await call
        rig.answer(payload={"n": 1})
        assert (await first).json == {"n": 1}

    play(story)


def test_a_stream_is_iterated_to_its_end() -> None:
    async def story(rig: Rig) -> None:
        stream = rig.flux.stream("a.b")
        assert rig.sent[0].flags == c.STREAMING
        for n in range(3):
            rig.answer(payload={"n": n})
        rig.answer(errnum=errno.ENODATA)
        assert [msg.json["n"] async for msg in stream] == [0, 1, 2]
        assert [msg async for msg in stream] == [], "it has ended, and does not wait"

    play(story)


def test_a_stream_ends_with_its_error() -> None:
    async def story(rig: Rig) -> None:
        stream = rig.flux.stream("a.b")
        rig.answer(payload={"n": 0})
        rig.answer(errnum=errno.EPERM)
        await anext(stream)
        for _ in range(2):
            with pytest.raises(PermissionError):
                await anext(stream)

    play(story)


def test_leaving_a_stream_cancels_it() -> None:
    async def story(rig: Rig) -> None:
        async with rig.flux.stream("a.b", cancel="a.cancel", nodeid=3) as stream:
            rig.answer(payload={})
            await anext(stream)
        cancel = rig.sent[1]
        assert (cancel.topic, cancel.nodeid, cancel.noresponse) == ("a.cancel", 3, True)
        assert cancel.json == {"matchtag": rig.sent[0].matchtag}
        rig.answer(payload={"late": True})
        rig.answer(errnum=errno.ENODATA)
        assert rig.flux.core.pending == 0
        assert [msg async for msg in stream] == []

    play(story)


def test_leaving_a_stream_that_has_ended_cancels_nothing() -> None:
    async def story(rig: Rig) -> None:
        async with rig.flux.stream("a.b", cancel="a.cancel"):
            rig.answer(errnum=errno.ENODATA)
        assert len(rig.sent) == 1

    play(story)


def test_a_cancelled_iteration_ends_the_stream() -> None:
    async def story(rig: Rig) -> None:
        stream = rig.flux.stream("a.b", cancel="a.cancel")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 1)
        assert rig.sent[1].topic == "a.cancel"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    play(story)


def test_cancel_waits_for_what_still_comes() -> None:
    async def story(rig: Rig) -> None:
        stream = rig.flux.stream("a.b", cancel="a.cancel")
        stream.cancel()
        rig.answer(payload={"n": 1})
        rig.answer(errnum=errno.ENODATA)
        assert [msg.json async for msg in stream] == [{"n": 1}]

    play(story)


def test_an_answer_that_comes_while_the_request_is_sent() -> None:
    async def story(_rig: Rig) -> None:
        flux = Flux(lambda msg: flux.receive(response(msg, {"at": "once"})))
        assert (await flux.rpc("a.b")).json == {"at": "once"}
        assert flux.core.pending == 0

    play(story)


def test_the_loss_of_the_connection_ends_everything() -> None:
    async def story(rig: Rig) -> None:
        told: list[Exception | None] = []
        rig.flux.on_disconnect(told.append)
        call, stream = rig.flux.rpc("a.b"), rig.flux.stream("a.c", cancel="a.cancel")
        rig.loop.call_later(1, rig.flux.lost, None)
        with pytest.raises(ConnectionResetError):
            await call
        with pytest.raises(ConnectionResetError):
            await anext(stream)
        assert told == [None]
        for use in (rig.flux.rpc, rig.flux.stream, rig.flux.notify, rig.flux.publish):
            with pytest.raises(ConnectionResetError):
                use("a.b")
        rig.flux.log(3, "nobody hears this")
        async with stream:
            """To leave a stream of a lost connection is no mistake."""
        assert len(rig.sent) == 2

    play(story)


def test_a_function_can_take_the_answer_without_a_task() -> None:
    async def story(rig: Rig) -> None:
        seen: list[int] = []
        rig.flux.rpc("a.b").then(lambda msg: seen.append(msg.errnum))
        rig.answer(errnum=errno.ENOENT)
        assert seen == [errno.ENOENT]

    play(story)


def test_a_fault_in_that_function_is_logged() -> None:
    async def story(rig: Rig) -> None:
        rig.flux.rpc("a.b").then(lambda _msg: 1 / 0)
        rig.answer()
        lines = [msg.data or b"" for msg in rig.sent[1:]]
        assert lines[0].endswith(b"a.b: internal error")
        assert lines[-1].endswith(b"ZeroDivisionError: division by zero")

    play(story)


# -- tasks and services ---------------------------------------------------------------------


def test_a_coroutine_method_answers_when_it_is_done() -> None:
    from fluxcore.handle.service import Method

    async def story(rig: Rig) -> None:
        async def slow(req: Message) -> dict[str, int]:
            await asyncio.sleep(3)
            return {"n": req.json["n"]}

        rig.flux.core.add_method("a.slow", Method(slow))
        rig.flux.receive(request("a.slow", {"n": 4}, matchtag=1, rolemask=c.ROLE_OWNER))
        rig.flux.receive(request("a.slow", {"m": 4}, matchtag=2, rolemask=c.ROLE_OWNER))
        await asyncio.sleep(4)
        answers = {msg.matchtag: msg for msg in rig.sent if msg.type == c.RESPONSE}
        assert answers[1].json == {"n": 4}
        assert (answers[2].errnum, answers[2].text) == (errno.EIO, "internal error: KeyError: 'n'")

    play(story)


def test_what_a_task_raises_is_logged() -> None:
    async def story(rig: Rig) -> None:
        async def fail(exc: Exception) -> None:
            raise exc

        rig.flux.task(fail(FileNotFoundError(errno.ENOENT, "no cake")), "baking")
        rig.flux.task(fail(ValueError("oops")), "thinking")
        await asyncio.sleep(1)
        texts = [parse_line(msg.data or b"").text for msg in rig.sent]
        assert texts[:2] == ["baking: no cake", "thinking"]
        assert texts[-1] == "ValueError: oops"

    play(story)


def test_a_task_that_is_cancelled_before_it_begins() -> None:
    from fluxcore.handle.service import Method

    async def story(rig: Rig) -> None:
        begun: list[str] = []

        async def work(_req: Message | None = None) -> None:
            begun.append("work")

        rig.flux.core.add_method("a.slow", Method(work))
        rig.flux.receive(request("a.slow", matchtag=1, rolemask=c.ROLE_OWNER))
        rig.flux.task(work())
        await rig.flux.close()
        assert begun == []
        gc.collect()  # "was never awaited" would be an error here

    play(story)


def test_closing_ends_tasks_and_requests() -> None:
    async def story(rig: Rig) -> None:
        ended: list[str] = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("task")

        rig.flux.on_close(lambda: ended.append("connector"))
        rig.flux.on_disconnect(lambda _exc: ended.append("disconnect"))
        rig.flux.task(forever())
        call = rig.flux.rpc("a.b")
        await asyncio.sleep(0)
        await rig.flux.close()
        assert ended == ["task", "connector"]
        with pytest.raises(ConnectionResetError):
            await call

    play(story)


def test_events_and_subscriptions() -> None:
    async def story(rig: Rig) -> None:
        got: list[str | None] = []

        def take(msg: Message) -> None:
            got.append(msg.topic)

        def also(msg: Message) -> None:
            got.append(f"also {msg.topic}")

        rig.loop.call_later(1, rig.answer)
        await rig.flux.subscribe("foo", take)
        await rig.flux.subscribe("foo", also)
        assert [(m.topic, m.json) for m in rig.sent] == [("event.subscribe", {"topic": "foo"})]
        rig.flux.receive(Message(c.EVENT, "foo.bar"))
        assert got == ["foo.bar", "also foo.bar"]
        await rig.flux.unsubscribe("foo", take)
        assert len(rig.sent) == 1
        rig.loop.call_later(1, rig.answer, 1)
        await rig.flux.unsubscribe("foo", also)
        assert [m.topic for m in rig.sent] == ["event.subscribe", "event.unsubscribe"]
        rig.flux.receive(Message(c.EVENT, "foo.bar"))
        assert len(got) == 2

    play(story)


def test_an_attribute_that_never_changes_is_asked_for_once() -> None:
    async def story(rig: Rig) -> None:
        for n, (flags, asked) in enumerate(((0, 1), (1, 2), (1, 2))):
            rig.loop.call_later(
                1, lambda n=n, f=flags: rig.answer(min(n, 1), {"value": f"v{n}", "flags": f})
            )
            value = await rig.flux.attr("size")
            assert value == ("v0" if n == 0 else "v1")
            assert len(rig.sent) == asked
            await asyncio.sleep(2)
        assert rig.flux.cached_attr("size") == "v1"

    play(story)


@pytest.mark.parametrize("ours", [True, False])
def test_who_cannot_bear_the_end_keeps_it_from_nobody(ours: bool) -> None:
    """What waits for an answer often sends something next, which it cannot any more."""

    async def story(rig: Rig) -> None:
        told: list[int] = []
        rig.flux.rpc("a.b").then(lambda _answer: rig.flux.publish("sad"))
        rig.flux.rpc("a.c").then(lambda answer: told.append(answer.errnum))
        if ours:
            await rig.flux.close()
        else:
            rig.flux.on_disconnect(lambda _exc: told.append(0))
            rig.flux.lost(None)
        assert told == [errno.ECONNRESET] + [0] * (not ours)

    play(story)
