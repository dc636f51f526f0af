"""The config service: the instance's configuration (CONTRACTS A44)."""

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.requests import RequestList
from fluxcore.wire.constants import ROLE_USER
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

    def _check_leader(self) -> None:
        if self.rank > 0:
            raise rpc_error(errno.EINVAL, "configuration can only be changed on rank 0")

    async def _change(self, conf: dict[str, Any]) -> None:
        """Let every module take ``conf``; the first that refuses it says why."""
        listed = (await self.flux.rpc("module.list")).json
        for entry in listed["mods"]:
            if entry["name"] != self.name:
                await self.flux.rpc(f"{entry['name']}.config-reload", conf)
        self._keep(conf)
        self._watchers.respond(conf)
