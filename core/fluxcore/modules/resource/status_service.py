"""resource.status and sched-status: what there is, what is down, what is taken (CONTRACTS H7)."""

import errno
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.resource.availability import Availability
from fluxcore.modules.resource.inventory import Inventory
from fluxcore.resource.rset import ResourceSet, restrict
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message


class StatusService(Service):
    """Says how the resources are."""

    def __init__(self, flux: Flux, inventory: Inventory, availability: Availability) -> None:
        self._flux = flux
        self._inventory = inventory
        self._availability = availability
        self._waiting = RequestList(flux)
        self._asked = False

    @method("resource.status", role=ROLE_USER)
    def status(self, _req: Message) -> Reply:
        """-> ``{R, drain, online, offline, exclude, torpid}``."""
        r = self._inventory.r
        if r is None:
            text = "error preparing response: No such file or directory"
            raise rpc_error(errno.ENOENT, text)
        availability = self._availability
        return {
            "R": {key: value for key, value in r.items() if key != "scheduling"},
            "drain": availability.drains.to_json(),
            "online": availability.online.encode(),
            "offline": availability.offline.encode(),
            "exclude": availability.excluded.encode(),
            "torpid": availability.torpid.encode(),
        }

    @method("resource.sched-status", role=ROLE_USER)
    def sched_status(self, req: Message) -> Reply:
        """-> ``{all, down, allocated}``, an R each; what is allocated the job manager knows."""
        self._waiting.add(req)
        if not self._asked:
            self._asked = True
            self._flux.rpc("job-manager.resource-status", nodeid=0).then(self._answered)
        return DEFERRED

    def _answered(self, answer: Message) -> None:
        self._asked = False
        try:
            status = self._sched_status(answer)
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else exc
            text = f"job-manager.resource-status request failed: {why}"
            self._waiting.end(errno.EINVAL, text)
            return
        self._waiting.respond(status)

    def _sched_status(self, answer: Message) -> dict[str, Any]:
        # The job manager is loaded after this module: before that nothing is allocated.
        if answer.errnum not in (0, errno.ENOSYS):
            raise rpc_error(answer.errnum, answer.text)
        allocated = ResourceSet({})
        if not answer.errnum:
            allocated = ResourceSet.from_json(answer.json.get("allocated"))
        availability, rset = self._availability, self._inventory.rset
        gone = availability.excluded
        if availability.shrinking:
            gone |= availability.lost
        everything = rset.subset(rset.ranks - gone)
        return {
            "all": _plain(everything),
            "down": _plain(everything.subset(everything.ranks & availability.unusable)),
            "allocated": _plain(_with_properties(allocated, everything)),
        }

    def disconnect(self, req: Message) -> None:
        """A client is gone."""
        self._waiting.disconnect(req)


def _with_properties(allocated: ResourceSet, everything: ResourceSet) -> ResourceSet:
    return ResourceSet(allocated.nodes, restrict(everything.properties, allocated.ranks))


def _plain(rset: ResourceSet) -> dict[str, Any]:
    """``rset`` as JSON without the scheduler's own data."""
    return {key: value for key, value in rset.to_json().items() if key != "scheduling"}
