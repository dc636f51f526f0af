"""resource.acquire: the resources for a scheduler, and what changes with them (CONTRACTS E0)."""

import errno
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job.eventlog import Event
from fluxcore.modules.resource.availability import Acquisition, Availability
from fluxcore.modules.resource.inventory import Inventory
from fluxcore.wire.message import Message


class AcquireService(Service):
    """Serves one scheduler at a time."""

    def __init__(self, flux: Flux, inventory: Inventory, availability: Availability) -> None:
        self._flux = flux
        self._inventory = inventory
        self._availability = availability
        self._requests = RequestList(flux)
        self._acquisition: Acquisition | None = None
        self._muted = False

    @property
    def busy(self) -> bool:
        """True if somebody has the resources."""
        return bool(self._requests)

    @method("resource.acquire")
    def acquire(self, req: Message) -> Reply:
        """Streaming: ``{resources, up}``, then ``{up?, down?, shrink?, expiration?}``."""
        if not req.streaming:
            raise rpc_error(errno.EPROTO)
        if self._requests:
            raise rpc_error(errno.EBUSY)
        self._requests.add(req)
        self._acquisition = None
        if self._inventory.r is not None:
            self._give()
        return DEFERRED

    def _give(self) -> None:
        """The first response. Excluded ranks are not among the resources."""
        excluded = self._availability.excluded
        rset, r = self._inventory.rset, self._inventory.r
        if excluded:
            rset = rset.subset(rset.ranks - excluded)
            r = rset.to_json()
        self._acquisition = Acquisition(rset.ranks, self._availability)
        self._requests.respond({"resources": r, "up": self._acquisition.up.encode()})

    def take(self, event: Event) -> None:
        """Something has happened to the resources."""
        if self._muted or not self._requests:
            return
        if event.name == "resource-define":
            if self._acquisition is None:
                self._give()
        elif self._acquisition is not None:
            update: dict[str, Any] = {}
            if event.name != "resource-update":
                update = self._acquisition.update()
            elif event.context is not None:
                update = dict(event.context)
            if update:
                self._requests.respond(update)

    @method("resource.acquire-cancel")
    def cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end it."""
        if self._requests.cancel(req) is not None:
            self._flux.log(LOG_DEBUG, "canceled 1 resource.acquire")
        return DEFERRED

    @method("resource.acquire-mute")
    def mute(self, _req: Message) -> Reply:
        """Tell the scheduler nothing more: the instance goes down."""
        self._muted = True
        return None

    def disconnect(self, req: Message) -> None:
        """A client is gone."""
        if self._requests.disconnect(req):
            self._flux.log(LOG_DEBUG, "aborted 1 resource.acquire(s)")

    def end(self) -> None:
        """The resources are nobody's any more."""
        self._requests.end(errno.ECANCELED, "the resource module was unloaded")
