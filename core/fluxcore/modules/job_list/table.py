"""All jobs, as the journal of the job manager tells of them, without IO (CONTRACTS D9, D12).

Each job is in one of three orders (pending, running, inactive); a job whose submission is not
complete is in none. An event costs the same however many jobs there are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fluxcore.job import states
from fluxcore.job.eventlog import Event, from_object
from fluxcore.job.info import JobInfo
from fluxcore.modules.job_list.order import Key, Ordered
from fluxcore.modules.job_list.stats import JobStats


class Listed:
    """A job, where it stands in the orders, and the states it has been in."""

    __slots__ = ("info", "key", "mask", "order")

    def __init__(self, info: JobInfo) -> None:
        self.info = info
        self.order: Ordered | None = None
        self.key: Key = (0.0, 0)
        self.mask = 0


class JobTable:
    """The jobs by id and in order. ``moved`` is told of a job that has entered a state."""

    def __init__(self, moved: Callable[[Listed], None]) -> None:
        self.jobs: dict[int, Listed] = {}
        self.pending = Ordered()
        self.running = Ordered()
        self.inactive = Ordered()
        self.stats = JobStats()
        self._moved = moved

    def take(
        self,
        jobid: int,
        events: Iterable[object],
        jobspec: Mapping[str, Any] | None,
        r: Mapping[str, Any] | None,
    ) -> str | None:
        """Take an entry of the journal; what is wrong with the jobspec of a job that is new.

        :raises ValueError: it is malformed
        """
        new = jobid not in self.jobs
        for obj in events:
            self._take_event(jobid, from_object(obj), jobspec, r)
        listed = self.jobs.get(jobid)
        return listed.info.problem if new and listed is not None else None

    def _take_event(
        self,
        jobid: int,
        event: Event,
        jobspec: Mapping[str, Any] | None,
        r: Mapping[str, Any] | None,
    ) -> None:
        listed = self.jobs.get(jobid)
        if listed is None:
            if event.name != "submit":
                raise ValueError(f"event {event.name}: job {jobid} not in hash")
            listed = self.jobs[jobid] = Listed(JobInfo(jobid))
            if jobspec is not None:
                listed.info.set_jobspec(dict(jobspec))
        if event.name == "invalidate":
            self._forget(listed)
            return
        if event.name == "alloc" and r is not None:
            listed.info.set_r(r)
        self._apply(listed, event)

    def _apply(self, listed: Listed, event: Event) -> None:
        info = listed.info
        before, queue, result = info.state, info.queue, info.result
        info.apply(event)
        if info.state == before and event.name not in _REORDERING:
            return
        self.stats.count(queue, before, result, -1)
        self.stats.count(info.queue, info.state, info.result, 1)
        self._place(listed)
        if info.state != before:
            if (before, info.state) == (states.SCHED, states.PRIORITY):
                listed.mask &= ~states.SCHED
            listed.mask |= info.state
            self._moved(listed)

    def _place(self, listed: Listed) -> None:
        """Put a job where it belongs in the orders."""
        info = listed.info
        order = self._order_of(info.state)
        key = info.order()
        if order is listed.order and key == listed.key:
            return
        if listed.order is not None:
            listed.order.remove(listed.key)
        listed.order, listed.key = order, key
        if order is not None:
            order.add(key)

    def _order_of(self, state: int) -> Ordered | None:
        if state & states.PENDING:
            return self.pending
        if state & states.RUNNING:
            return self.running
        return self.inactive if state == states.INACTIVE else None

    def _forget(self, listed: Listed) -> None:
        if listed.order is not None:
            listed.order.remove(listed.key)
        del self.jobs[listed.info.id]

    def purge(self, jobids: Iterable[object]) -> int:
        """Forget inactive jobs; how many."""
        count = 0
        for jobid in jobids:
            listed = self.jobs.get(jobid) if isinstance(jobid, int) else None
            if listed is not None and listed.info.state == states.INACTIVE:
                self.stats.purge(listed.info.queue, listed.info.result)
                self._forget(listed)
                count += 1
        return count

    def at(self, key: Key) -> Listed:
        """The job with a key of one of the orders."""
        return self.jobs[abs(key[1])]

    def validate_state(self) -> None:
        """Assert what must hold at any time."""
        for order in (self.pending, self.running, self.inactive):
            keys = list(order)
            assert keys == sorted(keys)
            assert all(self.at(key).order is order for key in keys)
            assert all(self.at(key).key == key for key in keys)
            assert all(self.at(key).info.order() == key for key in keys)
        placed = len(self.pending) + len(self.running) + len(self.inactive)
        assert placed == sum(job.order is not None for job in self.jobs.values())


#: Events that may move a job within its order, or to another queue, without changing its state.
_REORDERING: Final = frozenset(("priority", "jobspec-update"))
