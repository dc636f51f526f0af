"""Requests that wait for a job to be known, or to be in a state (job-list.list-id)."""

from collections.abc import Sequence
from dataclasses import dataclass

from fluxcore.job import states
from fluxcore.modules.job_list.table import Listed
from fluxcore.wire.message import Message


@dataclass(frozen=True, slots=True)
class IdRequest:
    """A request for one job; ``state`` is a state that the job must have been in, 0 for none."""

    req: Message
    id: int
    attrs: Sequence[object]
    state: int

    def is_met(self, listed: Listed | None) -> bool:
        """True if it can be answered. An inactive job is in no other state any more."""
        if listed is None or listed.info.state == states.NEW:
            return False
        if listed.info.state == states.INACTIVE or not self.state:
            return True
        return bool(listed.mask & self.state)


class Waiting:
    """Those that wait, by job."""

    def __init__(self) -> None:
        self._by_job: dict[int, list[IdRequest]] = {}

    def __len__(self) -> int:
        return len(self._by_job)

    def add(self, request: IdRequest) -> None:
        """Let ``request`` wait."""
        self._by_job.setdefault(request.id, []).append(request)

    def met(self, listed: Listed) -> list[IdRequest]:
        """Those that wait for a job and can be answered now; they wait no more."""
        waiting = self._by_job.pop(listed.info.id, None)
        if waiting is None:
            return []
        left = [request for request in waiting if not request.is_met(listed)]
        if left:
            self._by_job[listed.info.id] = left
        return [request for request in waiting if request.is_met(listed)]

    def forget(self, reqs: Sequence[Message]) -> None:
        """Their senders are gone."""
        gone = set(map(id, reqs))
        for jobid, waiting in list(self._by_job.items()):
            left = [request for request in waiting if id(request.req) not in gone]
            if left:
                self._by_job[jobid] = left
            else:
                del self._by_job[jobid]

    def all(self) -> list[IdRequest]:
        """All of them."""
        return [request for waiting in self._by_job.values() for request in waiting]
