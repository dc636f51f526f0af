"""Counts of jobs by state and result, of the instance and of each queue (CONTRACTS D12)."""

from typing import Any, Final

from fluxcore.job import states

#: The states that are counted, in the order of the answer.
_STATES: Final = tuple(state for state in states.STATES if state.bit_count() == 1 and state > 1)

_BY_RESULT: Final = {
    states.COMPLETED: "successful",
    states.FAILED: "failed",
    states.CANCELED: "canceled",
    states.TIMEOUT: "timeout",
}


class Counts:
    """The counts of some jobs."""

    __slots__ = ("_purged", "_results", "_states")

    def __init__(self) -> None:
        self._states = dict.fromkeys(_STATES, 0)
        self._results = dict.fromkeys(_BY_RESULT, 0)
        self._purged = 0

    def count(self, state: int, result: int | None, by: int) -> None:
        """Count a job in ``state`` up (1) or down (-1)."""
        if state in self._states:
            self._states[state] += by
        if state == states.INACTIVE and result is not None:
            self._results[result] += by

    def purge(self, result: int | None) -> None:
        """An inactive job is forgotten."""
        self.count(states.INACTIVE, result, -1)
        self._purged += 1

    def to_json(self, name: str | None = None) -> dict[str, Any]:
        """The counts as job-list.job-stats answers them."""
        by_state = {
            states.state_name(state).lower(): count for state, count in self._states.items()
        }
        by_state["total"] = sum(self._states.values())
        obj: dict[str, Any] = {"job_states": by_state}
        obj |= {_BY_RESULT[result]: count for result, count in self._results.items()}
        obj["inactive_purged"] = self._purged
        if name is not None:
            obj["name"] = name
        return obj


class JobStats:
    """The counts of all jobs, and of those of each queue that has had one."""

    def __init__(self) -> None:
        self._all = Counts()
        self._queues: dict[str, Counts] = {}

    def add_queue(self, name: str) -> None:
        """Count a queue that has no jobs yet."""
        self._queues.setdefault(name, Counts())

    def count(self, queue: str | None, state: int, result: int | None, by: int) -> None:
        """Count a job of ``queue`` up (1) or down (-1)."""
        self._all.count(state, result, by)
        if queue is not None:
            self._queues.setdefault(queue, Counts()).count(state, result, by)

    def purge(self, queue: str | None, result: int | None) -> None:
        """An inactive job is forgotten."""
        self._all.purge(result)
        if queue is not None:
            self._queues.setdefault(queue, Counts()).purge(result)

    def to_json(self) -> dict[str, Any]:
        """What job-list.job-stats answers."""
        queues = [counts.to_json(name) for name, counts in self._queues.items()]
        return {**self._all.to_json(), "queues": queues}
