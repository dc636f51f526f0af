"""One request as its asyncio caller sees it: a call with one answer, a stream with many."""

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from fluxcore.handle.core import response_result
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, Payload

if TYPE_CHECKING:
    from fluxcore.handle.aio import Flux


class _Call:
    """Responses that have come and not been taken, and who waits for the next one."""

    __slots__ = ("_deadline", "_flux", "_got", "_then", "_waiter", "nodeid", "tag", "topic")

    def __init__(
        self, flux: "Flux", topic: str, payload: Payload, nodeid: int, flags: int, timeout: float
    ) -> None:
        self._flux = flux
        self._got: deque[Message] = deque()
        self._then: Callable[[Message], None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = timeout
        self.topic = topic
        self.nodeid = nodeid
        self.tag = 0
        self.tag = flux.core.request(self, topic, payload, nodeid, flags)

    def feed(self, msg: Message) -> None:
        """Take a response (called by the handle)."""
        if self._then is not None:
            self._then(msg)
            return
        self._got.append(msg)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def then(self, function: Callable[[Message], None]) -> None:
        """Call ``function`` with each response, errors included, as it comes.

        No task and no loop turn lies between the response and the call.
        """
        self._then = function
        while self._got:
            function(self._got.popleft())

    def _next(self) -> Generator[object, None, Message]:
        while not self._got:
            waiter = self._waiter = self._flux.loop.create_future()
            timer = None
            if self._deadline > 0:
                timer = self._flux.loop.call_later(self._deadline, self._expire, waiter)
            try:
                yield from waiter
            except asyncio.CancelledError:
                self._flux.core.forget(self.tag)
                raise
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        return response_result(self._got.popleft())

    def _expire(self, waiter: "asyncio.Future[None]") -> None:
        if not waiter.done():
            self._flux.core.forget(self.tag)
            waiter.set_exception(
                TimeoutError(errno.ETIMEDOUT, f"{self.topic}: no answer in {self._deadline:g}s")
            )


class Call(_Call):
    """A request with one response: ``await`` it."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, Message]:
        """The response.

        :raises OSError: the response is a failure, the deadline has passed, or the connection
            is gone
        """
        return self._next()


class Stream(_Call):
    """A streaming request: iterate over its responses; ENODATA ends it (CONTRACTS A15)."""

    __slots__ = ("_cancel_topic", "_ended")

    def __init__(
        self,
        flux: "Flux",
        topic: str,
        payload: Payload,
        nodeid: int,
        flags: int,
        timeout: float,
        cancel_topic: str | None,
    ) -> None:
        self._cancel_topic = cancel_topic
        self._ended = False
        super().__init__(flux, topic, payload, nodeid, flags | c.STREAMING, timeout)

    def feed(self, msg: Message) -> None:
        """Take a response (called by the handle)."""
        if msg.aux1:
            self._ended = True
        super().feed(msg)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Message:
        """The next response.

        :raises OSError: the stream ended with another error than ENODATA
        """
        try:
            return await _Awaitable(self._next())
        except OSError as exc:
            if exc.errno == errno.ENODATA:
                raise StopAsyncIteration from None
            raise

    def cancel(self) -> None:
        """Ask the service to end the stream; its ENODATA still comes (CONTRACTS A16)."""
        if self._cancel_topic is not None and not self._ended:
            self._flux.notify(self._cancel_topic, {"matchtag": self.tag}, nodeid=self.nodeid)

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if not self._ended:
            self.cancel()
            self._flux.core.forget(self.tag)


class _Awaitable:
    """Lets a coroutine await a generator made for ``__await__``."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Generator[object, None, Message]) -> None:
        self._generator = generator

    def __await__(self) -> Generator[object, None, Message]:
        return self._generator
