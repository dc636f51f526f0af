"""The resource module of rank 0: the parts that know of the whole instance."""

import errno
import time

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.job.eventlog import Event
from fluxcore.modules.resource.acquire_service import AcquireService
from fluxcore.modules.resource.availability import Availability
from fluxcore.modules.resource.drain_service import DrainService
from fluxcore.modules.resource.drains import Drains
from fluxcore.modules.resource.history import DrainHistory
from fluxcore.modules.resource.inventory import Inventory
from fluxcore.modules.resource.monitor import Monitor
from fluxcore.modules.resource.options import Options
from fluxcore.modules.resource.reslog import Reslog
from fluxcore.modules.resource.status_service import StatusService
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.wire.message import Message


class Leader:
    """Puts the parts together."""

    def __init__(self, flux: Flux, size: int, options: Options) -> None:
        self._options = options
        self._hostlist = flux.cached_attr("hostlist")
        self.reslog = Reslog(flux, time.time, lambda: self.inventory.r)
        self.inventory = Inventory(flux, size, self.reslog, lambda: self._acquire.busy)
        drains = Drains(Hostlist.decode(self._hostlist))
        self.availability = Availability(size, drains, IdSet())
        self._history = DrainHistory(flux, time.time)
        self._acquire = AcquireService(flux, self.inventory, self.availability)
        self._status = StatusService(flux, self.inventory, self.availability)
        self.draining = DrainService(flux, self.inventory, self.availability, self.reslog)
        self._monitor = Monitor(flux, self.availability, self.reslog)
        self.reslog.watch(self._take)
        for part in (
            self.reslog,
            self.inventory,
            self._acquire,
            self._status,
            self.draining,
            self._monitor,
        ):
            part.bind(flux.core)

    async def start(self, *, recovering: bool) -> None:
        """Take up what was before; the resources too if they are configured or known.

        ``recovering`` says that the instance is being repaired: nothing is to run in it.

        :raises OSError: the KVS cannot be read, or the configuration is wrong
        """
        options, availability = self._options, self.availability
        keep = options.history if options.truncate and not recovering else float("inf")
        events = await self._history.load(availability.drains, keep)
        self.reslog.load(events, options.journal_max)
        if options.configured is not None:
            self.inventory.put(options.configured.to_json(), "configuration")
        else:
            await self.inventory.restore()
        self._exclude(options.exclude)
        self._monitor.start(self._hostlist, force_up=options.force_up, follow=not recovering)

    def _exclude(self, targets: str) -> None:
        excluded = self.inventory.ranks_of(targets)
        if not excluded <= self.availability.all:
            raise rpc_error(errno.EINVAL, f"exclude set {targets} is out of range")
        self.availability.excluded = excluded
        drained = self.availability.drains.ranks & excluded
        if drained:
            # What is excluded is not drained, and is not when it is excluded no more.
            self.draining.undrain_excluded(drained)

    def found(self, rset: ResourceSet) -> None:
        """All ranks have told what they have."""
        if self.inventory.r is None:
            self.inventory.put(rset.to_json(), "dynamic-discovery")

    def _take(self, event: Event) -> None:
        if event.name == "resource-define":
            how = (event.context or {}).get("method")
            self.availability.shrinking |= how != "configuration"
        self._acquire.take(event)

    def set_journal_max(self, limit: int) -> None:
        """Keep so many events for the journal."""
        self.reslog.set_limit(limit)

    def disconnect(self, req: Message) -> None:
        """A client is gone; it may have been any of these."""
        for part in (self._acquire, self._status, self.reslog, self._monitor):
            part.disconnect(req)

    async def stop(self, *, recovering: bool) -> None:
        """Let nobody wait in vain; leave a checkpoint."""
        self._acquire.end()
        self.reslog.end()
        if not recovering:
            await self._history.save(self.availability.drains)
