"""resource.drain and undrain (CONTRACTS H6)."""

import errno
import time
from collections.abc import Mapping
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_INFO
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.resource.availability import Availability
from fluxcore.modules.resource.inventory import Inventory
from fluxcore.modules.resource.reslog import Reslog
from fluxcore.resource.idset import IdSet
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str, opt_str

#: What a mode does to ranks that are drained already.
_OVERWRITE: Final = {"update": 0, "overwrite": 1, "force-overwrite": 2}


class DrainService(Service):
    """Takes ranks out of use, and back."""

    def __init__(
        self, flux: Flux, inventory: Inventory, availability: Availability, reslog: Reslog
    ) -> None:
        self._flux = flux
        self._inventory = inventory
        self._availability = availability
        self._drains = availability.drains
        self._reslog = reslog

    def _targets(self, req: Message) -> IdSet:
        ranks = self._inventory.ranks_of(need_str(req.json, "targets"))
        if not ranks:
            raise rpc_error(errno.EINVAL, "idset is empty")
        if not ranks <= self._availability.all:
            raise rpc_error(errno.EINVAL, "idset is out of range")
        return ranks

    @method("resource.drain")
    def drain(self, req: Message) -> Reply:
        """``{targets, reason?, mode?}``, targets being ranks or hosts."""
        need_str(req.json, "targets")
        reason, mode = opt_str(req.json, "reason"), opt_str(req.json, "mode")
        ranks = self._targets(req)
        if mode is not None and mode not in _OVERWRITE:
            raise rpc_error(errno.EINVAL, "Invalid mode specified")
        if mode is None:
            self._drains.check_drain(ranks, self._availability.excluded)
        overwrite = _OVERWRITE[mode or "update"]
        now = time.time()
        self._drains.drain(ranks, now, reason, overwrite)
        self._post(req, "drain", now, self._context(ranks, overwrite, reason))
        return DEFERRED

    @method("resource.undrain")
    def undrain(self, req: Message) -> Reply:
        """``{targets, mode?, reason?}``."""
        need_str(req.json, "targets")
        reason, mode = opt_str(req.json, "reason"), opt_str(req.json, "mode")
        ranks = self._targets(req)
        if mode is not None and mode not in _OVERWRITE:
            raise rpc_error(errno.EINVAL, f"invalid undrain mode '{mode}' specified")
        if mode is None:
            self._drains.check_undrain(ranks)
        self._drains.undrain(ranks)
        context = self._context(ranks, _OVERWRITE[mode or "update"], reason)
        self._post(req, "undrain", time.time(), context)
        return DEFERRED

    def drain_for(self, ranks: IdSet, reason: str) -> None:
        """Drain ranks because something is wrong with them."""
        now = time.time()
        self._drains.drain(ranks, now, reason)
        self._post(None, "drain", now, self._context(ranks, 0, reason))

    def undrain_excluded(self, ranks: IdSet) -> None:
        """Undrain ranks that nothing is scheduled on anyway."""
        self._drains.undrain(ranks)
        context = {"idset": ranks.encode(), "nodelist": self._drains.nodelist(ranks)}
        self._post(None, "undrain", time.time(), context)

    def _context(self, ranks: IdSet, overwrite: int, reason: str | None) -> dict[str, Any]:
        context: dict[str, Any] = {
            "idset": ranks.encode(),
            "nodelist": self._drains.nodelist(ranks),
        }
        if reason is not None:
            context["reason"] = reason
        return {**context, "overwrite": overwrite}

    def _post(self, req: Message | None, name: str, now: float, context: Mapping[str, Any]) -> None:
        def answer(exc: OSError | None) -> None:
            if req is None:
                return
            if exc is None:
                self._flux.respond(req)
            else:
                self._flux.core.respond_exception(req, exc)

        self._reslog.post(name, context, commit=True, then=answer, timestamp=now)
        text = " ".join(f"{key}={value}" for key, value in context.items())
        self._flux.log(LOG_INFO, f"{name} {text}")
