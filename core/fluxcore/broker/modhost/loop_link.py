"""The placement for the broker's own, chatty modules: on its loop, called directly."""

import asyncio
import errno
from functools import partial

from fluxcore.broker.mailbox import Mailbox
from fluxcore.broker.modhost.link import Gate, ModuleExit, ModuleLink, Welcome
from fluxcore.broker.router import Router
from fluxcore.handle.aio import Flux
from fluxcore.handle.runner import ModuleFactory, ModuleRunner
from fluxcore.wire.message import Message


class LoopLink(ModuleLink):
    """A module on the broker's loop: a message to it is a call of its handler."""

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
        self._mailbox = Mailbox(loop)
        self._task: asyncio.Task[None] | None = None

    def start(self, welcome: Welcome) -> None:
        """Make the handle and run the module as a task."""
        send = partial(self._mailbox.send, self.sent)
        flux = Flux(send, loop=self._loop, name=self.name, uuid=self.uuid, attrs=welcome.attrs)
        self._mailbox.receive = flux.receive
        runner = ModuleRunner(flux, self._factory, welcome.args, welcome.conf)
        self._task = self._loop.create_task(self._run(runner, flux))
        # Not in _run(): a life that is cancelled at once never begins.
        self._task.add_done_callback(lambda _task: self._is_over(ModuleExit(errno.ECANCELED)))

    async def _run(self, runner: ModuleRunner, flux: Flux) -> None:
        try:
            await runner.run()
        finally:
            await flux.close()

    def _push(self, msg: Message) -> None:
        self._mailbox.deliver(msg)

    def kill(self) -> None:
        """Cancel the module's task."""
        if self._task is not None:
            self._task.cancel()

    @property
    def receive_queue(self) -> int:
        """Messages that wait while the module runs."""
        return len(self._mailbox)

    @property
    def send_queue(self) -> int:
        """Always 0: sending is a call."""
        return 0
