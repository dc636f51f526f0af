"""A module's life, the same wherever it runs (RFC 5, CONTRACTS A22, A23, A27).

The broker is told of each step by a module.status request: RUNNING when the module has started,
FINALIZING when it has been told to shut down and is done (its answer says that nothing more is
sent to it), EXITED at the end, with the errno and text of what went wrong, if anything did.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import Module
from fluxcore.handle.service import DEFERRED, Method, Reply
from fluxcore.wire.message import Message

#: Makes a module: its class, or for a built-in one a function that knows the broker's parts.
ModuleFactory = Callable[[Flux, Sequence[str], Mapping[str, Any]], Module]


class ModuleState(IntEnum):
    """What a module.status request says, with its numbers on the wire."""

    INIT = 0
    RUNNING = 1
    FINALIZING = 2
    EXITED = 3


class ModuleRunner:
    """Runs one module on its handle from load to exit."""

    def __init__(
        self, flux: Flux, factory: ModuleFactory, args: Sequence[str], conf: Mapping[str, Any]
    ) -> None:
        self._flux = flux
        self._factory = factory
        self._args = args
        self._conf = conf
        self._end: asyncio.Future[None] = flux.loop.create_future()

    async def run(self) -> None:
        """The module's whole life. Nothing is raised: what goes wrong is its exit status."""
        try:
            await self._live()
        except OSError as exc:
            self._exit(exc.errno or errno.EINVAL, exc.strerror or str(exc))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - its fault must not end the broker
            self._flux.log_exception(f"{self._flux.name}: module failed", exc)
            self._exit(errno.EINVAL, f"{type(exc).__name__}: {exc}")
        else:
            self._exit(0, None)

    async def _live(self) -> None:
        flux = self._flux
        flux.core.add_method(f"{flux.name}.shutdown", Method(self._told_to_stop))
        module = self._factory(flux, self._args, self._conf)
        module.quit = self.quit
        for prefix in module.bind(flux.core, flux.name):
            await flux.rpc("event.subscribe", {"topic": prefix})
        for service in module.services:
            await flux.add_service(service)
        await module.start()
        flux.notify("module.status", {"status": int(ModuleState.RUNNING)})
        try:
            await self._end
        except OSError:
            await module.stop()
            raise
        await module.stop()  # but not when the life is cancelled: that is for what does not stop
        await flux.rpc("module.status", {"status": int(ModuleState.FINALIZING)})

    def _told_to_stop(self, _req: Message) -> Reply:
        self.quit(None)
        return DEFERRED

    def quit(self, exc: OSError | None) -> None:
        """End the module's life: because it was told to, or with the error that it died of."""
        if self._end.done():
            return
        if exc is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(exc)

    def _exit(self, errnum: int, text: str | None) -> None:
        status: dict[str, Any] = {"status": int(ModuleState.EXITED), "errnum": errnum}
        if text:
            status["text"] = text
            self._flux.log(LOG_ERR, f"{self._flux.name}: {text}")
        self._flux.notify("module.status", status)
