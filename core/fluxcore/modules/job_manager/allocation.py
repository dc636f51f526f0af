"""Jobs that need resources, and what the scheduler says of them (RFC 27, CONTRACTS E0).

A job in SCHED waits in ``queue`` until it may be sent to the scheduler, which has at most ``limit``
of them at a time (0: all). What has been sent is in ``sent`` until it is answered. When a job waits
that is more urgent than one that was sent, that one is called back.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fluxcore.handle.logline import LOG_DEBUG
from fluxcore.job import states
from fluxcore.job.priority_queue import PriorityQueue
from fluxcore.modules.job_manager.annotations import merged
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.queues import Queue

if TYPE_CHECKING:
    from fluxcore.modules.job_manager.machine import Machine

#: The priority of a job that is held: the scheduler does not hear of it.
_HELD = 0


class Allocation:
    """The requests to the scheduler, waiting and sent."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._effects = machine.effects
        self.queue: PriorityQueue[Job] = PriorityQueue()
        self.sent: dict[int, Job] = {}
        self.online = False
        self.limit = 0
        self._called_back: set[int] = set()
        #: Counts how often what jobs have has changed.
        self.changes = 0

    # -- what the machine asks for ---------------------------------------------------------

    def enqueue(self, job: Job) -> None:
        """Let ``job`` be allocated unless it is held, or is asked for already."""
        if (
            not job.written
            or job.r is not None
            or job.alloc_bypass
            or job.alloc_queued
            or job.alloc_pending
            or job.priority <= _HELD
            or not self._machine.queues.started(job.queue)
        ):
            return
        job.alloc_queued = True
        self.queue.add(job)
        if self.online:
            self._effects.plan_alloc()

    def withdraw(self, job: Job, *, final: bool) -> None:
        """Let ``job`` not be allocated: for now, or (``final``) never more."""
        if job.alloc_queued:
            self.queue.discard(job)
            job.alloc_queued = False
        if not job.alloc_pending:
            return
        self._call_back(job)
        if final:
            # Whatever the scheduler still answers is for nobody.
            self._answered(job)
            self._clear_annotations(job)

    def free(self, job: Job) -> None:
        """Give back what ``job`` has."""
        self.changes += 1
        if self.online and job.r is not None:
            self._effects.free(job.id, job.r)

    # -- sending ---------------------------------------------------------------------------

    def send(self) -> None:
        """Send what may be sent."""
        self._machine.run(self._send)

    def _send(self) -> None:
        while self.online and (not self.limit or len(self.sent) < self.limit):
            job = self.queue.first()
            if job is None:
                return
            self.queue.discard(job)
            job.alloc_queued = False
            job.alloc_pending = True
            self.sent[job.id] = job
            self._effects.alloc(job)
            if job.debug:
                self._machine.post(job, "debug.alloc-request")
        if self.online and self.limit:
            self._call_back_less_urgent()

    def _call_back_less_urgent(self) -> None:
        """Make room for jobs that wait and are more urgent than those that were sent."""
        head = self.queue.first()
        sent = sorted(self.sent.values(), key=lambda job: job.order, reverse=True)
        if head is None or not sent or head.order > sent[0].order:
            return
        for waiting, job in zip(self.queue, sent, strict=False):
            if waiting.order > job.order:
                return
            self._call_back(job)

    def _call_back(self, job: Job) -> None:
        if job.id not in self._called_back:
            self._called_back.add(job.id)
            self._effects.cancel_alloc(job)

    # -- what the scheduler says ------------------------------------------------------------

    def ready(self, limit: int) -> None:
        """There is a scheduler; ``limit`` requests may be with it at a time, 0 for all."""
        self.online, self.limit = True, limit
        if len(self.queue):
            self._machine.run(self._effects.plan_alloc)

    def gone(self, why: str) -> None:
        """There is no scheduler any more: what was sent waits for the next one."""
        if self.online:
            self.online = False
            self._machine.run(lambda: self._requeue_sent(why))

    def _requeue_sent(self, why: str) -> None:
        self._effects.log(LOG_DEBUG, f"alloc: stop due to {why}")
        for job in list(self.sent.values()):
            self._requeue(job)
        self._effects.calm()

    def _pending(self, jobid: int) -> Job | None:
        """The job, if it still waits for the scheduler."""
        return self.sent.get(jobid)

    def _answered(self, job: Job) -> None:
        del self.sent[job.id]
        self._called_back.discard(job.id)
        job.alloc_pending = False
        if self.queue and self.online:
            self._effects.plan_alloc()

    def _requeue(self, job: Job) -> None:
        self._answered(job)
        self._clear_annotations(job, "sched")
        if job.state == states.SCHED:
            self.enqueue(job)

    def succeeded(
        self, jobid: int, r: Mapping[str, Any], annotations: Mapping[str, Any] | None
    ) -> None:
        """The scheduler has given ``r`` to a job, which is given back if nobody wants it."""
        self._machine.run(lambda: self._succeeded(jobid, r, annotations))

    def _succeeded(
        self, jobid: int, r: Mapping[str, Any], annotations: Mapping[str, Any] | None
    ) -> None:
        # What is under this key is the scheduler's own, and may be large.
        r = {key: value for key, value in r.items() if key != "scheduling"}
        job = self._pending(jobid)
        if job is not None:
            self._answered(job)
        if job is None or job.state != states.SCHED:
            if self.online:
                self._effects.free(jobid, r)
            return
        self.changes += 1
        job.r = r
        if annotations:
            self._annotate(job, annotations)
        context = {"annotations": job.annotations} if job.annotations else None
        self._machine.post(job, "alloc", context)

    def annotated(self, jobid: int, annotations: Mapping[str, Any]) -> None:
        """The scheduler has something to say of a job that it has not answered."""
        job = self._pending(jobid)
        if job is not None:
            self._machine.run(lambda: self._annotate(job, annotations))

    def denied(self, jobid: int, note: str) -> None:
        """The scheduler will never give a job what it needs."""
        job = self._pending(jobid)
        if job is not None:
            self._machine.run(lambda: self._denied(job, note))

    def _denied(self, job: Job, note: str) -> None:
        self._answered(job)
        self._clear_annotations(job)
        self._machine.raise_exception(job, "alloc", 0, note, userid=self._machine.owner)

    def cancelled(self, jobid: int) -> None:
        """The scheduler has let a request go that was called back."""
        job = self._pending(jobid)
        if job is not None:
            self._machine.run(lambda: self._cancelled(job))

    def _cancelled(self, job: Job) -> None:
        self._requeue(job)
        self._effects.calm()

    # -- annotations -----------------------------------------------------------------------

    def _annotate(self, job: Job, annotations: Mapping[str, Any]) -> None:
        job.annotations = merged(job.annotations, annotations)
        self._publish_annotations(job)

    def _clear_annotations(self, job: Job, key: str | None = None) -> None:
        if not job.annotations:
            return
        kept = {} if key is None else {k: v for k, v in job.annotations.items() if k != key}
        job.annotations = kept
        if not kept:
            self._publish_annotations(job)

    def _publish_annotations(self, job: Job) -> None:
        context = {"annotations": job.annotations or None}
        self._machine.post(job, "annotations", context, commit=False)

    # -- queues are started and stopped ----------------------------------------------------

    def queue_started(self, queue: Queue) -> None:
        """Let the jobs of ``queue`` be allocated."""
        self._machine.act_on(job for job in self._of(queue) if job.state == states.SCHED)

    def queue_stopped(self, queue: Queue) -> None:
        """Call back the jobs of ``queue`` that have not been allocated."""
        if self.queue or self.sent:
            self._machine.run(lambda: self._withdraw_all(queue))

    def _withdraw_all(self, queue: Queue) -> None:
        for job in list(self._of(queue)):
            self.withdraw(job, final=False)

    def _of(self, queue: Queue) -> Iterator[Job]:
        return (job for job in self._machine.active.values() if job.queue == queue.name)
