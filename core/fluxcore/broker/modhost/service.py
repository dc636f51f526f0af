"""The module service (CONTRACTS A20-A24)."""

import errno

from fluxcore.broker.modhost.host import LoadRequest, ModuleHost
from fluxcore.broker.modhost.link import ModuleExit
from fluxcore.broker.modhost.trace import Tracer
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.runner import ModuleState
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_list, need_str, opt_bool, opt_int, opt_str


class ModuleService(Service):
    """Serves module.list, module.load and the rest."""

    def __init__(self, host: ModuleHost, tracer: Tracer) -> None:
        self._host = host
        self._tracer = tracer

    @method("module.list", role=ROLE_USER)
    def list(self, _req: Message) -> Reply:
        """-> ``{mods: [{name, path, idle, status, services, sendqueue, recvqueue}]}``."""
        return {"mods": [link.describe() for link in self._host.links()]}

    @method("module.load")
    async def load(self, req: Message) -> Reply:
        """``{path, args, exec?, name?, loader?, on_demand?}``; answered when the module runs or
        has failed. ``on_demand`` is ours: see :class:`LoadRequest`.
        """
        args = need_list(req.json, "args")
        if not all(type(arg) is str for arg in args):
            raise PayloadError
        await self._host.load(
            LoadRequest(
                need_str(req.json, "path"),
                args,
                opt_str(req.json, "name"),
                opt_bool(req.json, "exec"),
                opt_str(req.json, "loader"),
                opt_bool(req.json, "on_demand"),
            )
        )
        return None

    @method("module.remove")
    async def remove(self, req: Message) -> Reply:
        """``{name, cancel?}``; answered when the module has ended."""
        await self._host.remove(need_str(req.json, "name"), cancel=opt_bool(req.json, "cancel"))
        return None

    @method("module.status")
    def status(self, req: Message) -> Reply:
        """``{status, errnum?, text?}`` from a module itself."""
        try:
            state = ModuleState(need_int(req.json, "status"))
            end = ModuleExit(opt_int(req.json, "errnum", 0), opt_str(req.json, "text"))
        except (PayloadError, ValueError):
            text = "error decoding module.status request"
            raise rpc_error(errno.EPROTO, text) from None
        self._host.status(req.routes[0] if req.routes else "", state, end)
        return None

    @method("module.debug")
    def debug(self, req: Message) -> Reply:
        """``{name, defer?}``: hold back or let through messages to a module, for tests."""
        link = self._host.by_name(need_str(req.json, "name"))
        if "defer" in req.json:
            link.defer(opt_bool(req.json, "defer"))
        return None

    @method("module.trace")
    def trace(self, req: Message) -> Reply:
        """``{names?, typemask, topic_glob, full?}`` -> one response a message, of all modules
        or of those named; ``full`` with what they hold.
        """
        names = need_list(req.json, "names") if "names" in req.json else []
        opt_bool(req.json, "full")
        if not req.streaming or not all(type(name) is str for name in names):
            raise PayloadError
        need_int(req.json, "typemask")
        need_str(req.json, "topic_glob")
        self._tracer.add(req)
        return DEFERRED

    @method("module.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._tracer.disconnect(req)
        return None
