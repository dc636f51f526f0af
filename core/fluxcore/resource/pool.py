"""The pool that a simple scheduler allocates from, with sched-simple's choices.

Slots are put on the nodes with the most free cores first, then the most free gpus, then the
lowest rank; within a node the lowest ids are taken. To find these nodes at once, ranks are kept
in buckets by how many cores and gpus they have free, each bucket a bitmap of ranks: an allocation
looks at the few buckets and at the nodes that it takes, never at all nodes, and a release only at
the nodes of its job.
"""

from typing import Final

from fluxcore.resource.buckets import Buckets, bits
from fluxcore.resource.idset import IdSet
from fluxcore.resource.request import Request, check_satisfiable
from fluxcore.resource.rset import ResourceSet, restrict
from fluxcore.resource.rset_json import Node

#: Of a rank, what is given to a job: bitmaps of cores and gpus.
_Share = tuple[int, int]


class ResourcePool:
    """Who has which of the resources in an inventory.

    Ranks are up until they are marked down. A pool has no clock: times are passed in.
    """

    def __init__(self, inventory: ResourceSet) -> None:
        self.inventory: Final = inventory
        self.expiration = inventory.expiration
        self._nodes = inventory.nodes
        self._free: dict[int, _Share] = {}
        self._jobs: dict[int, dict[int, _Share]] = {}
        for rank, node in inventory.nodes.items():
            self._free[rank] = (node.cores, node.gpus)
        self._totals = Buckets.of(self._free)
        self._buckets = Buckets.of(self._free)
        self._all = self._up = inventory.ranks.mask()

    # -- up and down -----------------------------------------------------------------------

    @property
    def up(self) -> IdSet:
        """The ranks that may be allocated."""
        return IdSet.from_mask(self._up)

    def mark_up(self, ranks: IdSet) -> None:
        """Let ``ranks`` be allocated; those that are not in the pool are ignored."""
        self._up |= (ranks & self.inventory.ranks).mask() & self._all

    def mark_down(self, ranks: IdSet) -> None:
        """Allocate ``ranks`` no more; what jobs have on them stays theirs."""
        self._up &= ~(ranks & self.inventory.ranks).mask()

    def remove(self, ranks: IdSet) -> None:
        """Never allocate ``ranks`` again; what jobs have on them stays theirs."""
        gone = (ranks & self.inventory.ranks).mask()
        self._all &= ~gone
        self._up &= ~gone

    def down_set(self) -> ResourceSet:
        """What is on the ranks that are down."""
        return self.inventory.subset(IdSet.from_mask(self._all & ~self._up))

    def allocated_set(self) -> ResourceSet:
        """What jobs have."""
        nodes = self._nodes
        used = {
            rank: (nodes[rank].cores & ~cores, nodes[rank].gpus & ~gpus)
            for rank, (cores, gpus) in self._free.items()
        }
        return self._set_of({rank: share for rank, share in used.items() if any(share)})

    # -- allocating ------------------------------------------------------------------------

    def alloc(self, jobid: int, request: Request, now: float = 0.0) -> ResourceSet | None:
        """Give ``jobid`` what it asks for; None if that is not free at present.

        ``now`` (seconds since the Unix epoch) becomes the set's start time, from which its
        expiration is counted.

        :raises UnsatisfiableError: it never will be free: why
        :raises ValueError: the job has an allocation
        """
        if jobid in self._jobs:
            raise ValueError(f"job {jobid} has an allocation")
        shares = self._place_nodes(request) if request.nnodes else self._place_slots(request)
        if shares is None:
            self.check(request)
            return None
        self._give(jobid, shares)
        expiration = now + request.duration if request.duration else self.expiration
        return self._set_of(shares, now, expiration, request.nslots)

    def take(self, jobid: int, rset: ResourceSet) -> None:
        """Note what ``jobid`` has already, as a scheduler is told when it starts.

        :raises ValueError: it is nothing, not all there, or not all free
        """
        if not rset or jobid in self._jobs:
            raise ValueError(f"job {jobid} has {'an' if rset else 'an empty'} allocation")
        missing = rset.ranks - self.inventory.ranks
        if missing:
            raise ValueError(f"allocation contains ranks not in resource pool: {missing}")
        shares = {rank: (node.cores, node.gpus) for rank, node in rset.nodes.items()}
        for rank, (cores, gpus) in shares.items():
            if cores & ~self._free[rank][0] or gpus & ~self._free[rank][1]:
                raise ValueError(f"allocation contains resources in use on rank {rank}")
        self._give(jobid, shares)

    def free(self, jobid: int, rset: ResourceSet | None = None, *, final: bool = True) -> None:
        """Take back what ``jobid`` has: all of it, or what it has on the ranks of ``rset``.

        With ``final`` everything that is left is taken back, and ``rset`` must be just that:
        anything else is a mistake in somebody's accounts.

        :raises ValueError: the job has no allocation, or not the one that is said; nothing is
            freed then
        """
        shares = self._jobs.get(jobid)
        if shares is None:
            raise ValueError(f"job {jobid} has no allocation")
        ranks = list(shares) if rset is None else list(rset.nodes)
        if rset is not None:
            self._check_free(jobid, shares, rset, final)
        for rank in ranks:
            cores, gpus = shares.pop(rank)
            free = self._free[rank]
            self._set_free(rank, free[0] | cores, free[1] | gpus)
        if not shares:
            del self._jobs[jobid]

    @staticmethod
    def _check_free(jobid: int, shares: dict[int, _Share], rset: ResourceSet, final: bool) -> None:
        extra = IdSet(rset.nodes) - IdSet(shares)
        if extra:
            raise ValueError(f"R of job {jobid} has ranks not in its allocation: {extra}")
        if any(shares[rank] != (node.cores, node.gpus) for rank, node in rset.nodes.items()):
            raise ValueError(f"R of job {jobid} is not its allocation: {rset.summary()}")
        if final and len(rset.nodes) != len(shares):
            raise ValueError(f"final R of job {jobid} is not all that it has: {rset.summary()}")

    def _give(self, jobid: int, shares: dict[int, _Share]) -> None:
        self._jobs[jobid] = shares
        for rank, (cores, gpus) in shares.items():
            free = self._free[rank]
            self._set_free(rank, free[0] & ~cores, free[1] & ~gpus)

    def _set_free(self, rank: int, cores: int, gpus: int) -> None:
        self._buckets.remove(rank, *self._free[rank])
        self._buckets.add(rank, cores, gpus)
        self._free[rank] = (cores, gpus)

    def _set_of(
        self,
        shares: dict[int, _Share],
        starttime: float = 0.0,
        expiration: float = 0.0,
        nslots: int = 0,
    ) -> ResourceSet:
        nodes = {
            rank: Node(self._nodes[rank].host, cores, gpus)
            for rank, (cores, gpus) in shares.items()
        }
        # RFC 20: a property with a plus describes this instance, not what a job gets.
        described = {n: r for n, r in self.inventory.properties.items() if not n.startswith("+")}
        return ResourceSet(
            nodes,
            restrict(described, IdSet(nodes)) if described else None,
            starttime=starttime,
            expiration=expiration,
            nslots=nslots,
            scheduling=self.inventory.scheduling,
        )

    # -- placing ---------------------------------------------------------------------------

    def _allowed(self, request: Request) -> int:
        return self._up if request.ranks is None else self._up & request.ranks.mask()

    def _place_nodes(self, request: Request) -> dict[int, _Share] | None:
        """A share on each of so many nodes, or None if there are not so many."""
        slots = request.nslots // request.nnodes
        shares: dict[int, _Share] = {}
        for shape, ranks in self._buckets.within(self._allowed(request)):
            if shape.slots(request) < slots:
                continue
            for rank in bits(ranks):
                free = self._free[rank]
                if request.exclusive:
                    if free != self._nodes[rank][1:]:
                        continue
                    shares[rank] = free
                else:
                    shares[rank] = _share(free, request, slots)
                if len(shares) == request.nnodes:
                    return shares
        return None

    def _place_slots(self, request: Request) -> dict[int, _Share] | None:
        """Shares that hold all slots, wherever they fit, or None if they do not."""
        left = request.nslots
        shares: dict[int, _Share] = {}
        for shape, ranks in self._buckets.within(self._allowed(request)):
            fit = shape.slots(request)
            if not fit:
                continue
            for rank in bits(ranks):
                slots = min(fit, left)
                shares[rank] = _share(self._free[rank], request, slots)
                left -= slots
                if not left:
                    return shares
        return None

    # -- could it ever be ------------------------------------------------------------------

    def check(self, request: Request) -> None:
        """Check that an empty pool, all up, could meet ``request``.

        :raises UnsatisfiableError: it could not: why, in flux-core's words
        """
        allowed = self._all if request.ranks is None else self._all & request.ranks.mask()
        totals = self._totals.within(allowed)
        check_satisfiable(request, [(shape, ranks.bit_count()) for shape, ranks in totals])

    # -- for tests -------------------------------------------------------------------------

    def validate_state(self) -> None:
        """Assert that nothing is lost, given twice, or in the wrong bucket."""
        for rank, node in self._nodes.items():
            shares = [self._free[rank]] + [job[rank] for job in self._jobs.values() if rank in job]
            for total, parts in (
                (node.cores, [s[0] for s in shares]),
                (node.gpus, [s[1] for s in shares]),
            ):
                union = 0
                for part in parts:
                    assert not union & part, f"rank {rank}: given twice"
                    union |= part
                assert union == total, f"rank {rank}: lost"
        assert self._buckets.ranks == Buckets.of(self._free).ranks, "wrong bucket"
        assert self._buckets.shapes == sorted(self._buckets.ranks)
        assert not self._up & ~self._all
        assert all(self._jobs.values()), "a job without resources is kept"


def _share(free: _Share, request: Request, slots: int) -> _Share:
    return (
        _lowest(free[0], slots * request.cores_per_slot),
        _lowest(free[1], slots * request.gpus_per_slot),
    )


def _lowest(mask: int, count: int) -> int:
    """The ``count`` lowest bits that are set in ``mask``."""
    if count == mask.bit_count():
        return mask
    taken = 0
    for _ in range(count):
        low = mask & -mask
        taken |= low
        mask ^= low
    return taken
