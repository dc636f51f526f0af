"""The life of jobs without IO: events go in, what follows is asked of Effects (RFC 21).

Theory of operation: an event that is posted changes its job by :meth:`Job.apply`, is told to
Effects, and then the machine *acts* on the state that the job is in. An action may post further
events, to this job or to others; they wait in line, so no event is ever handled inside another. An
action may be repeated: it looks at what has been asked for already (the marks of the Job).

A job that has just been submitted is not given to the scheduler before its first events are in the
KVS: nobody acts on a job that would not be there after a crash.

What is posted from outside is refused if it may not come in the job's state. What an action has
posted may be overtaken (a job is cancelled while it becomes schedulable) and is then dropped.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from fluxcore.handle.logline import LOG_DEBUG
from fluxcore.job import states
from fluxcore.job.submission import PRIORITY_MAX, URGENCY_MAX
from fluxcore.modules.job_manager.allocation import Allocation
from fluxcore.modules.job_manager.dependencies import Dependencies
from fluxcore.modules.job_manager.effects import Effects
from fluxcore.modules.job_manager.history import History
from fluxcore.modules.job_manager.job import EventError, EventObject, Job
from fluxcore.modules.job_manager.queues import Queues

_LINE: Final = orjson.OPT_APPEND_NEWLINE


class Machine:
    """All jobs. ``inactive`` is in the order in which they ended."""

    def __init__(self, effects: Effects, clock: Callable[[], float], owner: int) -> None:
        self.effects = effects
        self.clock = clock
        #: The userid of the instance owner.
        self.owner = owner
        self.active: dict[int, Job] = {}
        self.inactive: dict[int, Job] = {}
        #: How many jobs are in RUN or CLEANUP.
        self.running = 0
        self.max_jobid = 0
        #: True while there is somebody to run jobs.
        self.exec_online = False
        self.queues = Queues()
        self.allocation = Allocation(self)
        self.dependencies = Dependencies(self)
        self.history = History()
        self._todo: deque[tuple[Job, EventObject, bool]] = deque()
        self._working = False

    def find(self, jobid: int) -> Job | None:
        """The job with that id, active or not."""
        return self.active.get(jobid) or self.inactive.get(jobid)

    # -- events ----------------------------------------------------------------------------

    def post(
        self,
        job: Job,
        name: str,
        context: Mapping[str, Any] | None = None,
        *,
        commit: bool = True,
        timestamp: float | None = None,
    ) -> None:
        """Let an event happen to ``job``; without ``commit`` only the journal hears of it.

        :raises EventError: it may not come now, or its context is malformed
        """
        event: EventObject = {
            "timestamp": self.clock() if timestamp is None else timestamp,
            "name": name,
        }
        if context is not None:
            event["context"] = context
        if self._working:
            self._todo.append((job, event, commit))
        else:
            self.run(lambda: self._process(job, event, commit))

    def run(self, work: Callable[[], None]) -> None:
        """Do ``work``, which may post and act, and then whatever follows from it."""
        if self._working:
            work()
            return
        self._working = True
        try:
            work()
            self._settle()
        finally:
            self._working = False
            self.effects.rest()

    def _settle(self) -> None:
        while self._todo:
            job, event, commit = self._todo.popleft()
            try:
                self._process(job, event, commit)
            except EventError as exc:
                self.effects.log(LOG_DEBUG, f"{job}: {event['name']} is overtaken: {exc}")

    def _process(self, job: Job, event: EventObject, commit: bool) -> None:
        before = job.state
        job.apply(event)
        line = None
        if commit:
            line = orjson.dumps(event, option=_LINE)
            job.eventlog.append(line)
        self.effects.posted(job, event, line)
        if job.state != before:
            self._entered(job, before)
        elif event["name"] == "start":
            self.dependencies.started(job)
        elif event["name"] == "resource-update":
            self.effects.expire(job, event["context"]["expiration"])
        self.act(job)

    def _entered(self, job: Job, before: int) -> None:
        self.running += bool(job.state & states.RUNNING) - bool(before & states.RUNNING)
        if job.state == states.PRIORITY:
            self.prioritize(job)
        elif job.state == states.INACTIVE:
            del self.active[job.id]
            self.inactive[job.id] = job
            job.compact()
            self.dependencies.ended(job)
            self.effects.inactive(job)
            self.effects.calm()

    def written(self, job: Job) -> None:
        """The first events of ``job`` are in the KVS."""
        job.written = True
        self.act_on([job])

    def prioritize(self, job: Job) -> None:
        """Give ``job`` the priority that its urgency stands for."""
        urgent = job.urgency == URGENCY_MAX
        self.post(job, "priority", {"priority": PRIORITY_MAX if urgent else job.urgency})

    # -- actions ---------------------------------------------------------------------------

    def act(self, job: Job) -> None:
        """Do what the state of ``job`` asks for and has not been done."""
        action = _ACTIONS.get(job.state)
        if action is not None:
            action(self, job)

    def act_on(self, jobs: Iterable[Job]) -> None:
        """Act on jobs because something outside of them has changed."""

        def work() -> None:
            for job in list(jobs):
                self.act(job)

        self.run(work)

    def _act_depend(self, job: Job) -> None:
        if not (job.dependencies or job.depend_posted or self._is_coming(job, "dependency-add")):
            job.depend_posted = True
            self.post(job, "depend")

    def _is_coming(self, job: Job, name: str) -> bool:
        return any(other is job and event["name"] == name for other, event, _ in self._todo)

    def _act_priority(self, job: Job) -> None:
        self.allocation.withdraw(job, final=False)

    def _act_sched(self, job: Job) -> None:
        self.allocation.enqueue(job)

    def _act_run(self, job: Job) -> None:
        if self.exec_online and not job.start_pending and not job.perilogs:
            job.start_pending = True
            self.effects.start(job)
            if job.debug:
                self.post(job, "debug.start-request")

    def _act_cleanup(self, job: Job) -> None:
        self.allocation.withdraw(job, final=True)
        if job.start_pending or job.perilogs:
            return
        if not job.has_resources:
            self.post(job, "clean")
        elif not job.free_posted:
            job.free_posted = True
            if not job.alloc_bypass:
                self.allocation.free(job)
            self.post(job, "free")

    # -- exceptions ------------------------------------------------------------------------

    def raise_exception(
        self,
        job: Job,
        kind: str,
        severity: int,
        note: str = "",
        *,
        userid: int | None = None,
        wait_status: int | None = None,
    ) -> None:
        """Raise an exception on ``job``: one of severity 0 ends it.

        :raises EventError: the job is inactive
        """
        context: dict[str, Any] = {"type": kind, "severity": severity, "note": note}
        if userid is not None:
            context["userid"] = userid
        if wait_status is not None:
            context["wait_status"] = wait_status
        self.post(job, "exception", context)
        self.run(lambda: self.effects.raised(job, context))


_ACTIONS: Final[Mapping[int, Callable[[Machine, Job], None]]] = {
    states.DEPEND: Machine._act_depend,
    states.PRIORITY: Machine._act_priority,
    states.SCHED: Machine._act_sched,
    states.RUN: Machine._act_run,
    states.CLEANUP: Machine._act_cleanup,
}
