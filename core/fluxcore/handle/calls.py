"""One request as its asyncio caller sees it: a call with one answer, a stream with many."""

import asyncio
import errno
from collections.abc import Generator
from typing import TYPE_CHECKING

from fluxcore.handle.responses import Responses
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, Payload

if TYPE_CHECKING:
    from fluxcore.handle.aio import Flux


class _Call(Responses):
    """The responses, and who waits for the next one."""

    __slots__ = ("_flux", "_timeout", "_waiter")

    def __init__(
        self, flux: "Flux", topic: str, payload: Payload, nodeid: int, flags: int, timeout: float
    ) -> None:
        super().__init__(topic, nodeid)
        self._flux = flux
        self._timeout = timeout
        self._waiter: asyncio.Future[None] | None = None
        self.tag = flux.core.request(self, topic, payload, nodeid, flags)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _next(self) -> Generator[object, None, Message]:
        while not self.ready:
            if self._waiter is not None:
                raise RuntimeError(f"{self.topic}: another task waits for the same response")
            loop, timer = self._flux.loop, None
            self._waiter = loop.create_future()
            self._arrived = self._wake
            if self._timeout > 0:
                timer = loop.call_later(self._timeout, self._expire)
            try:
                yield from self._waiter
            except asyncio.CancelledError:
                self._give_up()
                raise
            finally:
                self._waiter = self._arrived = None
                if timer is not None:
                    timer.cancel()
        return self.take()

    def _expire(self) -> None:
        if not self.ready:
            self._release()
            self.expire(self._timeout)
            self._wake()

    def _give_up(self) -> None:
        """Whoever waited has been cancelled, and nobody can wait for this any more."""
        if not self.ended:
            self._release()
            self.end(errno.ECANCELED)

    def _release(self) -> None:
        self._flux.core.forget(self.tag)


class Call(_Call):
    """A request with one response: ``await`` it."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, Message]:
        """The response; awaited again, the same one.

        :raises OSError: the response is a failure, the deadline has passed, or the connection
            is gone
        """
        return self._next()


class Stream(_Call):
    """A streaming request: iterate over its responses; ENODATA ends it (CONTRACTS A15).

    As with a generator, a timeout or a cancellation while it is waited for ends it: the service
    is told, and what it still sends goes nowhere.
    """

    __slots__ = ("_cancel_topic",)

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
        super().__init__(flux, topic, payload, nodeid, flags | c.STREAMING, timeout)

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
        if self._cancel_topic is not None and not self.ended and self._flux.connected:
            self._flux.notify(self._cancel_topic, {"matchtag": self.tag}, nodeid=self.nodeid)

    def _release(self) -> None:
        self.cancel()
        super()._release()

    def _give_up(self) -> None:
        if not self.ended:
            self._release()
            self.end(errno.ENODATA)

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._give_up()


class _Awaitable:
    """Lets a coroutine await a generator made for ``__await__``."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Generator[object, None, Message]) -> None:
        self._generator = generator

    def __await__(self) -> Generator[object, None, Message]:
        return self._generator
