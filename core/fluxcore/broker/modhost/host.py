"""The module host: what is loaded, and who waits for a load or a remove."""

import asyncio
import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.modhost.link import Gate, ModuleExit, ModuleLink, Welcome
from fluxcore.broker.modhost.loader import Loader, Source, find
from fluxcore.broker.modhost.loop_link import LoopLink
from fluxcore.broker.modhost.process_link import ProcessLink
from fluxcore.broker.modhost.thread_link import ThreadLink
from fluxcore.broker.router import Router
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_DEBUG, LOG_ERR
from fluxcore.handle.runner import ModuleFactory, ModuleState
from fluxcore.wire import constants as c
from fluxcore.wire.message import request

_LOADER: Final = (sys.executable, "-m", "fluxcore.broker.modhost.child_main")
_BUILTIN_PATH: Final = "builtin"
#: Seconds that a module's thread or process may take to end once the module has said it ends.
_LINGER: Final = 1.0


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What module.load asks for (CONTRACTS A22)."""

    target: str
    args: Sequence[str] = ()
    name: str | None = None
    exec: bool = False
    loader: str | None = None
    #: Loaded for want of it, and so not to be removed by who has loaded the others.
    on_demand: bool = False


@dataclass(slots=True)
class _Loaded:
    link: ModuleLink
    running: "asyncio.Future[None]"
    gone: "asyncio.Future[None]"
    removing: bool = False
    on_demand: bool = False


@dataclass(slots=True)
class HostHooks:
    """What the host tells the broker."""

    log: Callable[[int, str], None]
    panic: Callable[[str], None]
    conf: Callable[[], dict[str, Any]] = field(default=dict)
    loaded: Callable[[ModuleLink], None] = field(default=lambda _link: None)


class ModuleHost:
    """Loads and removes modules. A module's link is a router link from load to exit."""

    def __init__(
        self,
        router: Router,
        attrs: Attributes,
        loop: asyncio.AbstractEventLoop,
        hooks: HostHooks,
        builtins: Mapping[str, ModuleFactory],
    ) -> None:
        self._router = router
        self._attrs = attrs
        self._loop = loop
        self._hooks = hooks
        self._builtins = builtins
        self._loader = Loader()
        self._modules: dict[str, _Loaded] = {}
        self._lingering: set[ModuleLink] = set()
        self.gate = Gate()

    # -- looking ---------------------------------------------------------------------------

    def links(self) -> list[ModuleLink]:
        """The loaded modules."""
        return [loaded.link for loaded in self._modules.values()]

    def by_uuid(self, uuid: str) -> ModuleLink | None:
        """The module of ``uuid``."""
        loaded = self._modules.get(uuid)
        return loaded.link if loaded else None

    def by_name(self, name: str) -> ModuleLink:
        """The module loaded under ``name`` or from that path.

        :raises FileNotFoundError: there is none
        """
        return self._find(name).link

    def _find(self, name: str) -> _Loaded:
        for loaded in self._modules.values():
            if name in (loaded.link.name, loaded.link.path):
                return loaded
        raise rpc_error(errno.ENOENT)

    # -- loading ---------------------------------------------------------------------------

    async def load(self, wanted: LoadRequest) -> None:
        """Load a module; returns once it runs.

        :raises OSError: as CONTRACTS A22 lists, or what the module's start failed with
        """
        loaded = self._begin(await self._make_link(wanted), wanted.args)
        loaded.on_demand = wanted.on_demand
        try:
            await asyncio.shield(loaded.running)
        except OSError:
            await self._wait_over([loaded.link])
            raise

    async def _make_link(self, wanted: LoadRequest) -> ModuleLink:
        builtin = self._builtins.get(wanted.target)
        if builtin is not None:
            if wanted.exec or wanted.loader:
                raise rpc_error(
                    errno.EINVAL, "built-in modules cannot execute in a separate process"
                )
            return self._loop_link(wanted.name or wanted.target, _BUILTIN_PATH, builtin)
        if wanted.loader and "/" not in wanted.target:
            raise rpc_error(errno.EINVAL, "module loader may only be specified with module path")
        if wanted.loader:
            name = wanted.name or os.path.basename(wanted.target).partition(".")[0]
            return self._process_link(name, wanted.target, ["flux", wanted.loader])
        source = find(wanted.target, os.environ.get("FLUX_MODULE_PATH", ""))
        if wanted.exec:
            return self._process_link(wanted.name or source.name, str(source.path), _LOADER)
        return await self._import_link(wanted.name, source)

    async def _import_link(self, wanted_name: str | None, source: Source) -> ModuleLink:
        self._check_free(wanted_name or source.name)
        if source.stock is not None:
            cls = self._loader.load_class(source)
        else:
            # A user's file may do anything when it is imported, so not on our loop.
            cls = await self._loop.run_in_executor(None, self._loader.load_class, source)
        name = wanted_name or cls.name or source.name
        path = str(source.path)
        if cls.placement == "process":
            return self._process_link(name, path, _LOADER)
        if cls.placement == "thread":
            return ThreadLink(self._router, self.gate, name, path, self._loop, cls)
        return self._loop_link(name, path, cls)

    def _loop_link(self, name: str, path: str, factory: ModuleFactory) -> ModuleLink:
        return LoopLink(self._router, self.gate, name, path, self._loop, factory)

    def _process_link(self, name: str, path: str, loader: Sequence[str]) -> ModuleLink:
        return ProcessLink(self._router, self.gate, name, path, self._loop, loader)

    def _check_free(self, name: str) -> None:
        if self._router.has_service(name):
            raise rpc_error(errno.EEXIST)

    def _begin(self, link: ModuleLink, args: Sequence[str]) -> _Loaded:
        self._check_free(link.name)
        loaded = _Loaded(link, self._loop.create_future(), self._loop.create_future())
        # Nobody need wait for these; an exception in them is not lost but in the log.
        loaded.running.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._router.add_service(link.name, link)
        link.on_end = lambda: self._exited(loaded)
        self._lingering.add(link)
        link.over.add_done_callback(lambda _over: self._lingering.discard(link))
        self._router.add_link(link.uuid, link)
        self._modules[link.uuid] = loaded
        self._hooks.loaded(link)
        self._hooks.log(LOG_DEBUG, f"insmod {link.name}")
        welcome = Welcome(
            link.name, link.uuid, list(args), self._attrs.immutables(), self._hooks.conf()
        )
        try:
            link.start(welcome)
        except OSError as exc:
            link.exit = ModuleExit(exc.errno or errno.EINVAL, exc.strerror)
        except RuntimeError as exc:  # no more threads
            link.exit = ModuleExit(errno.EAGAIN, str(exc))
        else:
            return loaded
        link.over.set_result(None)
        self._exited(loaded)
        return loaded

    # -- removing --------------------------------------------------------------------------

    async def remove(self, name: str, *, cancel: bool = False) -> None:
        """Remove a module; returns once it has ended.

        :param cancel: do not ask it, end it; it is gone even if its code cannot be stopped
        :raises FileNotFoundError: it is not loaded
        """
        loaded = self._find(name)
        loaded.removing = True
        self._hooks.log(LOG_DEBUG, f"rmmod {loaded.link.name}")
        if cancel:
            self._cancel(loaded)
        else:
            loaded.link.deliver(
                request(
                    f"{loaded.link.name}.shutdown",
                    flags=c.NORESPONSE,
                    userid=self._router.userid,
                    rolemask=c.ROLE_OWNER | c.ROLE_LOCAL,
                )
            )
        await asyncio.shield(loaded.gone)
        await self._wait_over([loaded.link])

    async def _wait_over(self, links: Sequence[ModuleLink]) -> None:
        """Wait for what modules leave to end, but not for ever."""
        _over, lingering = await asyncio.wait([link.over for link in links], timeout=_LINGER)
        for link in links:
            if link.over in lingering:
                link.kill()

    def _cancel(self, loaded: _Loaded) -> None:
        loaded.removing = True
        loaded.link.kill()
        loaded.link.exit = ModuleExit(errno.ECANCELED)
        self._exited(loaded)

    async def close(self) -> int:
        """End the modules that nobody has removed, and wait for what others have left running.

        :returns: how many nobody had removed
        """
        for loaded in [loaded for loaded in self._modules.values() if loaded.on_demand]:
            with suppress(OSError):  # it has just ended
                await self.remove(loaded.link.name)
        left = list(self._modules.values())
        for loaded in left:
            what = f"broker module '{loaded.link.name}' was not properly shut down"
            self._hooks.log(LOG_ERR, what)
            self._cancel(loaded)
        if self._lingering:
            await self._wait_over(list(self._lingering))
        return len(left)

    # -- what modules say of themselves ----------------------------------------------------

    def status(self, uuid: str, state: ModuleState, end: ModuleExit) -> None:
        """A module says that it has reached ``state``; an unknown module is ignored."""
        loaded = self._modules.get(uuid)
        if loaded is None:
            return
        link = loaded.link
        if state is ModuleState.RUNNING and link.state is ModuleState.INIT:
            link.state = state
            loaded.running.set_result(None)
            link.started()
        elif state is ModuleState.FINALIZING:
            link.state = state
            link.muted = True
        elif state is ModuleState.EXITED and link.state is not ModuleState.EXITED:
            link.exit = end
            self._exited(loaded)

    def _exited(self, loaded: _Loaded) -> None:
        link, end = loaded.link, loaded.link.exit
        link.state = ModuleState.EXITED
        link.muted = True
        self._hooks.log(LOG_DEBUG, f"module {link.name} exited")
        self._router.remove_link(link.uuid)
        del self._modules[link.uuid]
        link.ended()
        if not loaded.running.done():
            error = rpc_error(end.errnum or errno.ECONNRESET, end.text)
            loaded.running.set_exception(error)
        elif end.errnum and not loaded.removing:
            self._failed(f"{link.name} module runtime failure")
        loaded.gone.set_result(None)

    def _failed(self, what: str) -> None:
        if self._attrs.get("broker.module-nopanic") not in (None, "0"):
            self._hooks.log(LOG_CRIT, what)
        else:
            self._hooks.panic(what)
