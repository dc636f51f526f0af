"""The scheduler without IO or clock: requests in the order of priority, over a pool.

The job at the head of the queue is given what it asks for as soon as that is free; until then
nobody behind it is looked at, so no job overtakes one that is more urgent or older. A job that
could never be given what it asks for is denied, and does not stop the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fluxcore.job.jobspec import Jobspec, JobspecError, validate
from fluxcore.job.jobspec_counts import request
from fluxcore.job.priority_queue import Order, PriorityQueue
from fluxcore.resource.constraint import Inventory
from fluxcore.resource.pool import ResourcePool
from fluxcore.resource.request import Request
from fluxcore.resource.rset import ResourceSet


@dataclass(slots=True)
class Pending:
    """A job that waits."""

    id: int
    priority: int
    request: Request

    @property
    def order(self) -> Order:
        """Highest priority first, then lowest id."""
        return -self.priority, self.id


@dataclass(frozen=True, slots=True)
class Allocated:
    """A job gets ``rset``."""

    id: int
    rset: ResourceSet


@dataclass(frozen=True, slots=True)
class Denied:
    """A job never will get what it asks for."""

    id: int
    note: str


class Scheduler:
    """The queue and the pool. Nothing is up before it is marked so."""

    def __init__(self, inventory: ResourceSet) -> None:
        self.pool: Final = ResourcePool(inventory)
        self.pool.mark_down(inventory.ranks)
        self._inventory: Inventory = inventory.inventory()
        self.queue: PriorityQueue[Pending] = PriorityQueue()

    # -- resources -------------------------------------------------------------------------

    def hello(self, jobid: int, rset: ResourceSet) -> None:
        """Note that a job has ``rset`` already.

        :raises ValueError: it cannot
        """
        self.pool.take(jobid, rset)

    def free(self, jobid: int, rset: ResourceSet, *, final: bool) -> None:
        """Take back what a job has.

        :raises ValueError: it is not what the job has
        """
        self.pool.free(jobid, rset, final=final)

    # -- requests --------------------------------------------------------------------------

    def request(self, jobspec: Jobspec) -> Request:
        """What ``jobspec`` asks for.

        It may not have been checked: the owner can have it passed by.

        :raises JobspecError: it is none
        """
        validate(jobspec)
        return request(jobspec, self._inventory)

    def alloc(self, jobid: int, priority: int, jobspec: Jobspec) -> Denied | None:
        """Let a job wait for what it asks for; denied if nobody can say what that is."""
        try:
            wanted = self.request(jobspec)
        except JobspecError as exc:
            return Denied(jobid, f"cannot parse jobspec: {exc.text}")
        self.queue.add(Pending(jobid, priority, wanted))
        return None

    def cancel(self, jobid: int) -> bool:
        """Let a job not wait any more; False if it did not."""
        job = self.queue.get(jobid)
        if job is None:
            return False
        self.queue.discard(job)
        return True

    def prioritize(self, priorities: Iterable[tuple[int, int]]) -> None:
        """Give jobs that wait another priority; pairs of id and priority."""
        for jobid, priority in priorities:
            job = self.queue.get(jobid)
            if job is not None:
                job.priority = priority
                self.queue.add(job)

    def check(self, jobspec: Jobspec) -> None:
        """Check that the instance could run ``jobspec`` if nothing else ran.

        :raises JobspecError: it is none
        :raises UnsatisfiableError: it could not
        """
        self.pool.check(self.request(jobspec))

    # -- scheduling ------------------------------------------------------------------------

    def schedule(self, now: float) -> Iterator[Allocated | Denied]:
        """Decide about the jobs at the head of the queue, until one has to wait.

        ``now`` is the time in seconds since the Unix epoch.
        """
        while (job := self.queue.first()) is not None:
            try:
                rset = self.pool.alloc(job.id, job.request, now)
            except ValueError as exc:  # it never can be met, or the job has an allocation
                self.queue.discard(job)
                yield Denied(job.id, str(exc))
                continue
            if rset is None:
                return
            self.queue.discard(job)
            yield Allocated(job.id, rset)
