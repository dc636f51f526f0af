"""The config service: the instance's configuration (CONTRACTS A44)."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.requests import RequestList
from fluxcore.handle.runner import ModuleState
from fluxcore.wire.constants import ROLE_USER, UPSTREAM
from fluxcore.wire.message import Message


class ConfigModule(Module):
    """Serves config.*. Built in: it is given how to read the files and where to keep the result.

    :param read: reads the configuration anew; an OSError says what is wrong with it
    :param keep: makes it the broker's, for modules that are loaded from then on
    """

    name = "config"
    placement = "loop"

    def __init__(
        self,
        flux: Flux,
        args: Sequence[str],
        conf: Mapping[str, Any],
        *,
        read: Callable[[], dict[str, Any]],
        keep: Callable[[dict[str, Any]], None],
        current: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(flux, args, conf)
        self._read = read
        self._keep = keep
        self._current = current
        self._watchers = RequestList(flux)
        self._changing = asyncio.Lock()

    @method("config.get", role=ROLE_USER)
    def get(self, req: Message) -> Reply:
        """-> the configuration; streaming, again at each change."""
        if not req.streaming:
            return self._current()
        self._watchers.add(req)
        self.flux.respond(req, self._current())
        return DEFERRED

    @method("config.load")
    async def load(self, req: Message) -> Reply:
        """The configuration itself as payload: make it the current one."""
        self._check_leader()
        await self._change(req.json)
        return None

    @method("config.reload")
    async def reload(self, _req: Message) -> Reply:
        """Read the files again."""
        self._check_leader()
        await self._change(self._read())
        return None

    @method("config.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._watchers.disconnect(req)
        return None

    async def follow_parent(self) -> None:
        """Take the parent's configuration, and from then on every one that it takes (A44).

        :raises OSError: the parent has none for us, or a module here refuses it
        """
        first: asyncio.Future[None] = self.flux.loop.create_future()
        self.flux.task(self._follow(first), "config.get")
        await first

    async def _follow(self, first: "asyncio.Future[None]") -> None:
        updates = self.flux.stream("config.get", nodeid=self.rank, flags=UPSTREAM)
        try:
            await self._change((await anext(updates)).json)
        except (OSError, StopAsyncIteration) as exc:
            lost = rpc_error(errno.ENODATA)
            first.set_exception(exc if isinstance(exc, OSError) else lost)
            return
        first.set_result(None)
        try:
            async for update in updates:
                await self._take_update(update.json)
        except OSError as exc:
            if exc.errno != errno.EHOSTUNREACH:  # that the parent is lost is told by others
                raise

    async def _take_update(self, conf: dict[str, Any]) -> None:
        try:
            await self._change(conf)
        except OSError as exc:
            self.flux.log(LOG_ERR, f"parent update: {exc.strerror}")

    async def stop(self) -> None:
        """End the streams of those who watch."""
        self._watchers.end()

    def _check_leader(self) -> None:
        if self.rank > 0:
            raise rpc_error(errno.EINVAL, "configuration can only be changed on rank 0")

    async def _change(self, conf: dict[str, Any]) -> None:
        """Let every module take ``conf``; if one refuses it, none keeps it, and it says why."""
        async with self._changing:  # so that one that is refused takes back only its own
            await self._change_all(conf)

    async def _change_all(self, conf: dict[str, Any]) -> None:
        before = self._current()
        if conf == before:
            return
        listed = (await self.flux.rpc("module.list")).json
        told: list[str] = []
        for entry in listed["mods"]:
            if entry["name"] == self.name or entry["status"] != ModuleState.RUNNING:
                continue
            told.append(entry["name"])
            try:
                await self.flux.rpc(f"{entry['name']}.config-reload", conf)
            except OSError as exc:
                await self._take_back(told, before)
                text = f"error updating {entry['name']}: {exc.strerror}"
                raise rpc_error(exc.errno or errno.EINVAL, text) from None
        self._keep(conf)
        self._watchers.respond(conf)

    async def _take_back(self, told: Sequence[str], before: dict[str, Any]) -> None:
        for name in told:
            try:
                await self.flux.rpc(f"{name}.config-reload", before)
            except OSError as exc:
                self.flux.log(LOG_ERR, f"{name} does not take its configuration back: {exc}")
