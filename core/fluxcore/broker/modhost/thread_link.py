"""The placement for modules that may block: a thread of their own, with its own loop.

A thread hop costs about as much as a process hop, so what crosses is batched: the first message
into an empty queue wakes the other side, the others ride along.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from fluxcore.broker.modhost.link import Gate, ModuleLink, Welcome
from fluxcore.broker.router import Router
from fluxcore.handle.aio import Flux
from fluxcore.handle.runner import ModuleFactory, ModuleRunner
from fluxcore.wire.message import Message


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
            self._woken = True
            # The loop is closed when its side has ended; what is still sent to it is dropped.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._woken = False
        waiting = self._waiting
        while waiting:
            self._take(waiting.popleft())


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
        super().__init__(router, gate, name, path)
        self._factory = factory
        self._outbox = CrossThreadQueue(loop, self.sent)
        self._module_loop = asyncio.new_event_loop()
        self._inbox = CrossThreadQueue(self._module_loop, self._receive)
        self._flux: Flux | None = None

    def start(self, welcome: Welcome) -> None:
        """Start the thread."""
        threading.Thread(
            target=self._main, args=(welcome,), name=f"module-{self.name}", daemon=True
        ).start()

    def _main(self, welcome: Welcome) -> None:
        with asyncio.Runner(loop_factory=lambda: self._module_loop) as runner:
            runner.run(self._run(welcome))

    async def _run(self, welcome: Welcome) -> None:
        self._flux = Flux(self._outbox.put, name=self.name, uuid=self.uuid, attrs=welcome.attrs)
        await ModuleRunner(self._flux, self._factory, welcome.args, welcome.conf).run()
        await self._flux.close()

    def _receive(self, msg: Message) -> None:
        if self._flux is not None and self._flux.connected:
            self._flux.receive(msg)

    def _push(self, msg: Message) -> None:
        self._inbox.put(msg)

    def kill(self) -> None:
        """Stop the thread's loop; code that never returns to it cannot be stopped."""
        with contextlib.suppress(RuntimeError):
            self._module_loop.call_soon_threadsafe(self._module_loop.stop)

    @property
    def receive_queue(self) -> int:
        """Messages on their way to the thread."""
        return len(self._inbox)

    @property
    def send_queue(self) -> int:
        """Messages on their way from the thread."""
        return len(self._outbox)
