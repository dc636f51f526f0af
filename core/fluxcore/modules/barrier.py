"""barrier: ``count`` clients wait for each other by name (CONTRACTS H3).

Older flux-core versions had this service, and programs of that time use it. Each broker counts
its own clients and the brokers below it, and tells its parent of the sum once it has grown; the
leader ends the barrier with an event when all have come.
"""

import errno
from typing import Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.handle.requests import RequestList
from fluxcore.wire.constants import NORESPONSE, ROLE_OWNER, ROLE_USER, UPSTREAM
from fluxcore.wire.message import Message, request
from fluxcore.wire.payload import need_int, need_str, opt_bool

#: How many failures are remembered, by name: any user can make some.
_REMEMBERED: Final = 256


class _Barrier:
    """One barrier on one broker."""

    def __init__(self, module: Module, size: int) -> None:
        self.size = size
        self.untold = 0
        self.entered = 0
        self.clients = RequestList(module.flux)


class Barrier(Module):
    """Serves barrier.enter."""

    name = "barrier"
    placement = "loop"

    async def start(self) -> None:
        """Begin without barriers."""
        self._barriers: dict[str, _Barrier] = {}
        self._flush_planned = False
        self._last_exit = 0
        self._failed: dict[str, int] = {}

    @method("barrier.enter", role=ROLE_USER)
    def enter(self, req: Message) -> Reply:
        """``{name, count, internal?}``: answered when ``count`` have entered ``name``.

        ``internal`` marks a broker's sum for its clients, and only brokers may say it: no client
        waits, so a barrier of made-up sums would never be forgotten. ``count`` is how many came,
        ``nprocs`` how many are awaited, and ``since`` the sequence number of the last exit that
        the broker knew of: who came before a barrier failed does not count in the next of its
        name.
        """
        name, count = need_str(req.json, "name"), need_int(req.json, "count")
        internal = opt_bool(req.json, "internal")
        if internal and not req.rolemask & ROLE_OWNER:
            raise rpc_error(errno.EPERM)
        size = need_int(req.json, "nprocs") if internal else count
        if size <= 0 or count <= 0:
            raise rpc_error(errno.EINVAL)
        if internal and need_int(req.json, "since") < self._failed.get(name, 0):
            return None
        barrier = self._barriers.get(name)
        if barrier is None:
            barrier = self._barriers[name] = _Barrier(self, size)
        if barrier.size != size:
            raise rpc_error(errno.EINVAL, f"{name}: {barrier.size} are awaited, not {size}")
        if not internal:
            barrier.clients.add(req)
        self._entered(name, barrier, count if internal else 1)
        return DEFERRED

    def _entered(self, name: str, barrier: _Barrier, count: int) -> None:
        if self.rank == 0:
            barrier.entered += count
            if barrier.entered >= barrier.size:
                self.flux.publish("barrier.exit", {"name": name, "errnum": 0})
            return
        barrier.untold += count
        if not self._flush_planned:
            self._flush_planned = True
            self.flux.loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Tell the parent how many have come here since it was last told."""
        self._flush_planned = False
        for name, barrier in self._barriers.items():
            if barrier.untold:
                payload = {
                    "name": name,
                    "count": barrier.untold,
                    "nprocs": barrier.size,
                    "internal": True,
                    "since": self._last_exit,
                }
                barrier.untold = 0
                flags = UPSTREAM | NORESPONSE
                self.flux.core.send(
                    request("barrier.enter", payload, nodeid=self.rank, flags=flags)
                )

    @on_event("barrier.exit")
    def exit(self, event: Message) -> None:
        """A barrier has ended, for all or with an error."""
        name, errnum = need_str(event.json, "name"), need_int(event.json, "errnum")
        self._last_exit = event.seq
        if errnum:
            self._remember(name, event.seq)
        barrier = self._barriers.pop(name, None)
        if barrier is None:
            return
        if errnum:
            barrier.clients.end(errnum)
        else:
            barrier.clients.respond()

    def _remember(self, name: str, seq: int) -> None:
        """Remember a failure for as long as counts from before it may be on their way."""
        self._failed.pop(name, None)
        self._failed[name] = seq
        if len(self._failed) > _REMEMBERED:
            del self._failed[next(iter(self._failed))]

    @method("barrier.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client that has entered is gone: its barriers cannot be completed any more."""
        for name, barrier in list(self._barriers.items()):
            if barrier.clients.disconnect(req):
                self.flux.log(LOG_ERR, f"{name}: a client disconnected before the barrier ended")
                payload = {"name": name, "errnum": errno.ECONNABORTED}
                self.flux.publish("barrier.exit", payload)
        return None

    async def stop(self) -> None:
        """Fail those who still wait."""
        for barrier in self._barriers.values():
            barrier.clients.end(errno.ENOSYS)
