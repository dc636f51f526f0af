"""Who waits for jobs to end (job-manager.wait, CONTRACTS D8).

Only jobs submitted as waitable can be waited for, once each. One that has ended and was not waited
for is a zombie; who waits for any job gets a zombie, or the next job to end that nobody waits for
by its id.
"""

import errno
from collections.abc import Callable
from typing import Generic, TypeVar

from fluxcore.handle.errors import rpc_error
from fluxcore.job import states
from fluxcore.modules.job_manager.job import Job

T = TypeVar("T")


class Waits(Generic[T]):
    """Requests (of type T) to wait; ``answer`` is given one and the job that it was for.

    ``refuse`` is given one that no job is left for.
    """

    def __init__(
        self, answer: Callable[[T, Job], None], refuse: Callable[[T, OSError], None]
    ) -> None:
        self._answer = answer
        self._refuse = refuse
        self._waiters: dict[int, T] = {}
        self._anybody: list[T] = []
        self._waitable = 0
        self.zombies: dict[int, Job] = {}

    def active(self, job: Job) -> None:
        """``job`` has been submitted."""
        self._waitable += job.waitable

    def inactive(self, job: Job) -> None:
        """``job`` has ended."""
        if not job.waitable:
            return
        self._waitable -= 1
        waiter = self._waiters.pop(job.id, None)
        if waiter is None and self._anybody:
            waiter = self._anybody.pop(0)
        if waiter is None:
            self.zombies[job.id] = job
        else:
            self._answer(waiter, job)

    def wait(self, request: T, job: Job | None) -> None:
        """Wait for ``job``, which is active or a zombie.

        :raises OSError: ECHILD, it is neither, or cannot be waited for
        """
        if job is not None and self.zombies.pop(job.id, None) is not None:
            self._answer(request, job)
            return
        if job is None or job.state == states.INACTIVE:
            text = "invalid job id, or job may be inactive and not waitable"
            raise rpc_error(errno.ECHILD, text)
        if job.id in self._waiters:
            raise rpc_error(errno.ECHILD, "job id already has a waiter")
        if not job.waitable:
            text = "job was not submitted with FLUX_JOB_WAITABLE"
            raise rpc_error(errno.ECHILD, text)
        self._waiters[job.id] = request
        self._refuse_surplus()

    def wait_any(self, request: T) -> None:
        """Wait for any job."""
        if self.zombies:
            self._answer(request, self.zombies.pop(next(iter(self.zombies))))
            return
        self._anybody.append(request)
        self._refuse_surplus()

    def _refuse_surplus(self) -> None:
        """The last who waits for any job waits for none if there are not so many."""
        if self._anybody and len(self._anybody) + len(self._waiters) > self._waitable:
            text = "there are no more waitable jobs"
            self._refuse(self._anybody.pop(), rpc_error(errno.ECHILD, text))

    def discard(self, gone: Callable[[T], bool]) -> None:
        """Forget the requests that ``gone`` is true of."""
        self._waiters = {jobid: req for jobid, req in self._waiters.items() if not gone(req)}
        self._anybody = [req for req in self._anybody if not gone(req)]

    def requests(self) -> list[T]:
        """All who wait."""
        return [*self._waiters.values(), *self._anybody]
