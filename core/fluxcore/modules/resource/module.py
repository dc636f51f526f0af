"""The resource module: discovery on every rank, the rest on rank 0 (CONTRACTS H4-H7).

Each rank finds out what its machine has and adds what those below it have told; so the resources of
the whole instance arrive at rank 0 in one message from each of its children. That the module counts
as loaded before does no harm: the scheduler waits for them.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.modules.resource.follower import Follower
from fluxcore.modules.resource.leader import Leader
from fluxcore.modules.resource.local import differences, discover
from fluxcore.modules.resource.options import parse_options
from fluxcore.modules.resource.reduction import Reduction
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.wire.constants import NORESPONSE, ROLE_USER, UPSTREAM
from fluxcore.wire.message import Message, request
from fluxcore.wire.payload import need_dict, need_int


class Resource(Module):
    """Serves resource.*."""

    name = "resource"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Find out what this machine has.

        :raises OSError: EINVAL for a bad argument or configuration
        """
        super().__init__(flux, args, conf)
        self._options = parse_options(self.args, self.conf)
        self._local = discover(self.rank, Hostlist.decode(flux.cached_attr("hostlist"))[self.rank])
        self._early: list[Message] = []
        self._reduction: Reduction | None = None
        self._leader: Leader | None = None
        self._recovering = False
        if self.rank == 0:
            self._leader = Leader(flux, self.size, self._options)
        else:
            Follower(flux).bind(flux.core)

    async def start(self) -> None:
        """Take up what was before, and tell what this rank and those below it have.

        :raises OSError: the KVS cannot be read, or the configuration is wrong
        """
        self._recovering = await self._has_attr("broker.recovery-mode")
        if self._leader is not None:
            await self._leader.start(recovering=self._recovering)
        self._verify()
        descendants = int(await self.flux.attr("tbon.descendants"))
        self._reduction = Reduction(self._local, descendants)
        for req in self._early:
            self._add(self._reduction, req)
        self._report_if_complete(self._reduction)

    async def _has_attr(self, name: str) -> bool:
        try:
            return bool(await self.flux.attr(name))
        except FileNotFoundError:
            return False

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed ``[resource]`` table; most of it counts when the module starts."""
        options = parse_options(self.args, conf)
        if self._leader is not None:
            self._leader.set_journal_max(options.journal_max)

    async def stop(self) -> None:
        """Leave a checkpoint."""
        if self._leader is not None:
            await self._leader.stop(recovering=self._recovering)

    # -- discovery -------------------------------------------------------------------------

    def _verify(self) -> None:
        """If resources are configured, see that this rank has its part; else it is drained."""
        expected = self._options.configured
        if expected is None or self._options.noverify or self._recovering:
            return
        wrong = differences(expected, self._local, self.rank)
        if not wrong:
            return
        self.flux.log(LOG_ERR, f"draining: {wrong}")
        if self._leader is not None:
            self._leader.draining.drain_for(IdSet([0]), wrong)
        else:
            drain = {"targets": str(self.rank), "reason": wrong, "mode": "update"}
            self.flux.notify("resource.drain", drain, nodeid=0)

    @method("resource.topo-reduce")
    def topo_reduce(self, req: Message) -> Reply:
        """``{count, resource}``, from a child: what its subtree has. Nobody waits."""
        if self._reduction is None:
            self._early.append(req)
        elif self._add(self._reduction, req):
            self._report_if_complete(self._reduction)
        return DEFERRED

    def _add(self, reduction: Reduction, req: Message) -> bool:
        try:
            return reduction.add(need_int(req.json, "count"), need_dict(req.json, "resource"))
        except (OSError, ValueError) as exc:
            self.flux.log(LOG_ERR, f"error decoding topo-reduce request: {exc}")
            return False

    def _report_if_complete(self, reduction: Reduction) -> None:
        if not reduction.complete:
            return
        if self._leader is not None:
            self._leader.found(reduction.total)
            return
        flags = UPSTREAM | NORESPONSE
        report = reduction.to_json()
        self.flux.core.send(request("resource.topo-reduce", report, nodeid=self.rank, flags=flags))

    @method("resource.topo-get", role=ROLE_USER)
    def topo_get(self, _req: Message) -> Reply:
        """flux-core answers with hwloc's description of the machine, which is not used here."""
        raise rpc_error(errno.ENOSYS, "hwloc topology is not available")

    # -- clients that go -------------------------------------------------------------------

    @method("resource.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client is gone."""
        if self._leader is not None:
            self._leader.disconnect(req)
        return None
