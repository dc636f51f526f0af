"""The placement for modules that may block: a thread of their own, with its own loop.

A thread hop costs about as much as a process hop, so what crosses is batched: the first message
into an empty queue wakes the other side, the others ride along.
"""

import asyncio
import contextlib
import errno
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from fluxcore.broker.modhost.link import Gate, ModuleExit, ModuleLink, Welcome
from fluxcore.broker.router import Router
from fluxcore.handle.aio import Flux
from fluxcore.handle.loop import new_event_loop
from fluxcore.handle.runner import ModuleFactory, ModuleRunner
from fluxcore.wire.message import Message

#: So many messages are handed over in a loop turn, so that a thread that sends without a pause
#: does not keep the loop from all else.
_BATCH: Final = 256


class CrossThreadQueue:
    """Hands messages to a function on another thread's loop, in order.

    The sender appends, then looks whether the other side has been woken; the other side clears
    that mark, then takes all there is. In that order no message can be left without a wake-up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[Message], None]) -> None:
        self._loop = loop
        self._take = take
        self._waiting: deque[Message] = deque()
        self._woken = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, msg: Message) -> None:
        """Hand ``msg`` over (from the sending thread)."""
        self._waiting.append(msg)
        if not self._woken:
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        # The loop is closed when its side has ended; what is still sent to it is dropped.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._woken = False
        waiting = self._waiting
        try:
            for _ in range(_BATCH):
                if not waiting:
                    return
                self._take(waiting.popleft())
        finally:
            if waiting:  # they are many, or one of them has raised
                self._wake()


class ThreadLink(ModuleLink):
    """A module in its own thread."""

    def __init__(
        self,
        router: Router,
        gate: Gate,
        name: str,
        path: str,
        loop: asyncio.AbstractEventLoop,
        factory: ModuleFactory,
    ) -> None:
        super().__init__(router, gate, name, path, loop)
        self._factory = factory
        self._outbox = CrossThreadQueue(loop, self.sent)
        self._inbox: CrossThreadQueue | None = None
        self._module_loop: asyncio.AbstractEventLoop | None = None
        self._flux: Flux | None = None
        self._life: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    def start(self, welcome: Welcome) -> None:
        """Make the module's loop and handle, and start its thread."""
        loop = self._module_loop = new_event_loop()
        flux = self._flux = Flux(
            self._send, loop=loop, name=self.name, uuid=self.uuid, attrs=welcome.attrs
        )
        self._inbox = CrossThreadQueue(loop, flux.receive)
        runner = ModuleRunner(flux, self._factory, welcome.args, welcome.conf)
        self._thread = threading.Thread(
            target=self._main, args=(loop, runner), name=f"module-{self.name}", daemon=True
        )
        self._thread.start()

    def _main(self, loop: asyncio.AbstractEventLoop, runner: ModuleRunner) -> None:
        try:
            with (
                contextlib.suppress(asyncio.CancelledError, SystemExit),
                asyncio.Runner(loop_factory=lambda: loop) as thread,
            ):
                thread.run(self._run(runner))
        finally:
            with contextlib.suppress(RuntimeError):  # the broker's loop may be gone by now
                self._loop.call_soon_threadsafe(self._thread_over)

    def _thread_over(self) -> None:
        assert self._thread is not None
        self._thread.join()  # it has nothing left to do
        self._is_over(ModuleExit(errno.EINVAL, "the module's thread has ended"))

    async def _run(self, runner: ModuleRunner) -> None:
        assert self._flux is not None
        self._life = asyncio.current_task()
        try:
            await runner.run()
        finally:
            await self._flux.close()

    def _send(self, msg: Message) -> None:
        # Encoded here, a payload that has no JSON form is the module's fault and not the broker's.
        msg.encode()
        self._outbox.put(msg)

    def _push(self, msg: Message) -> None:
        if self._inbox is not None:
            self._inbox.put(msg)

    def kill(self) -> None:
        """Cancel the module's life; code that never returns to its loop cannot be stopped."""
        if self._module_loop is not None:
            with contextlib.suppress(RuntimeError):
                self._module_loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._life is not None:
            self._life.cancel()

    @property
    def receive_queue(self) -> int:
        """Messages on their way to the thread."""
        return len(self._inbox or ())

    @property
    def send_queue(self) -> int:
        """Messages on their way from the thread."""
        return len(self._outbox)
