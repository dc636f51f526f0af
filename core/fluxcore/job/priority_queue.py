"""Things in the order of their priority, as jobs are queued (RFC 27)."""

import heapq
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

#: What sorts jobs: the priority, negated, and the id.
Order = tuple[int, int]


class Queued(Protocol):
    """What can be queued: it has an id, and an order, in which the first is the least."""

    @property
    def id(self) -> int:
        """The job's id."""

    @property
    def order(self) -> Order:
        """Where it belongs now."""


T = TypeVar("T", bound=Queued)


class PriorityQueue(Generic[T]):
    """Jobs by priority, then id; adding and taking cost O(log n) however many there are.

    A job that is removed leaves its order in the heap behind; it is dropped when it gets to the
    front, or when most are such.
    """

    __slots__ = ("_heap", "_queued")

    def __init__(self) -> None:
        self._heap: list[Order] = []
        self._queued: dict[int, tuple[Order, T]] = {}

    def __len__(self) -> int:
        return len(self._queued)

    def __contains__(self, job: T) -> bool:
        return job.id in self._queued

    def __iter__(self) -> Iterator[T]:
        """The jobs in order; this sorts them."""
        return iter([job for _order, job in sorted(self._queued.values(), key=_order_of)])

    def get(self, jobid: int) -> T | None:
        """The job of that id, None if it is not here."""
        entry = self._queued.get(jobid)
        return entry[1] if entry is not None else None

    def add(self, job: T) -> None:
        """Add ``job``, or put it where its priority is now."""
        order = job.order
        self._queued[job.id] = (order, job)
        heapq.heappush(self._heap, order)
        self._prune()

    def discard(self, job: T) -> None:
        """Remove ``job`` if it is there."""
        if self._queued.pop(job.id, None) is not None:
            self._prune()

    def _prune(self) -> None:
        if len(self._heap) > 2 * len(self._queued) + 64:
            self._heap = sorted([order for order, _job in self._queued.values()])

    def first(self) -> T | None:
        """The job of the highest priority, None if there is no job."""
        while self._heap:
            order = self._heap[0]
            entry = self._queued.get(order[1])
            if entry is not None and entry[0] == order:
                return entry[1]
            heapq.heappop(self._heap)
        return None


def _order_of(entry: tuple[Order, T]) -> Order:
    return entry[0]
