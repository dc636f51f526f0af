"""Jobs in the order of their priority."""

import heapq
from collections.abc import Iterator

from fluxcore.modules.job_manager.job import Job

#: What sorts jobs: the priority, negated, and the id.
_Key = tuple[int, int]


class PriorityQueue:
    """Jobs by priority, then id; adding and taking cost O(log n) however many there are.

    A job that is removed leaves its key in the heap behind; it is dropped when it gets to the
    front, or when most keys are such.
    """

    __slots__ = ("_heap", "_jobs")

    def __init__(self) -> None:
        self._heap: list[_Key] = []
        self._jobs: dict[int, tuple[_Key, Job]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return job.id in self._jobs

    def __iter__(self) -> Iterator[Job]:
        """The jobs in order; this sorts them."""
        return iter([job for _key, job in sorted(self._jobs.values(), key=_key_of)])

    def add(self, job: Job) -> None:
        """Add ``job``, or put it where its priority is now."""
        key = job.order
        self._jobs[job.id] = (key, job)
        heapq.heappush(self._heap, key)
        self._prune()

    def discard(self, job: Job) -> None:
        """Remove ``job`` if it is there."""
        if self._jobs.pop(job.id, None) is not None:
            self._prune()

    def _prune(self) -> None:
        if len(self._heap) > 2 * len(self._jobs) + 64:
            self._heap = sorted([key for key, _job in self._jobs.values()])

    def first(self) -> Job | None:
        """The job of the highest priority, None if there is no job."""
        while self._heap:
            key = self._heap[0]
            found = self._jobs.get(key[1])
            if found is not None and found[0] == key:
                return found[1]
            heapq.heappop(self._heap)
        return None


def _key_of(entry: tuple[_Key, Job]) -> _Key:
    return entry[0]
