"""Carries out what the machine asks for: messages to the scheduler, the execution service, the log.

Everything is done in order, but not before the machine is at rest: what is sent may be answered
before the sending returns, and the answer goes to the machine.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fluxcore.handle.aio import Flux
from fluxcore.modules.job_manager.batch import EventBatch
from fluxcore.modules.job_manager.job import EventObject, Job
from fluxcore.modules.job_manager.journal import Journal
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.modules.job_manager.waits import Waits
from fluxcore.wire.message import Message, Payload, request


class Actions:
    """The module's :class:`~.effects.Effects`; it is told the other parts by :meth:`connect`."""

    def __init__(self, flux: Flux) -> None:
        self._flux = flux
        self._due: list[Callable[[], None]] = []
        self._resting = False
        self._alloc_planned = False
        self._alarms: dict[int, list[asyncio.TimerHandle]] = {}
        #: The topic of the execution service's requests, without the method.
        self.exec_service = ""
        #: Told that there may be nothing running any more.
        self.on_calm: Callable[[], None] = lambda: None

    def connect(
        self, machine: Machine, batch: EventBatch, journal: Journal, waits: Waits[Message]
    ) -> None:
        """Know the parts that take what is done."""
        self._machine = machine
        self._batch = batch
        self._journal = journal
        self._waits = waits

    def rest(self) -> None:
        """Do what is due."""
        if self._resting:
            return
        self._resting = True
        try:
            while self._due:
                due, self._due = self._due, []
                for action in due:
                    action()
                self._journal.flush()
        finally:
            self._resting = False

    def _send(self, topic: str, payload: Payload) -> None:
        """Send a request whose answers are found by the job's id, not by a matchtag (RFC 27)."""
        self._due.append(lambda: self._flux.core.send(request(topic, payload)))

    # -- events ----------------------------------------------------------------------------

    def posted(self, job: Job, event: EventObject, line: bytes | None) -> None:
        """Write it down and tell the journal."""
        if line is not None:
            self._batch.append(job, line)
        self._due.append(lambda: self._journal.posted(job, event))

    def accepted(self, job: Job) -> None:
        """Count it, if it can be waited for."""
        self._waits.active(job)

    def write(self, job: Job) -> None:
        """Go on with the job when its first events are written."""
        self._batch.then(lambda: self._machine.written(job))

    def withdraw(self, job: Job) -> None:
        """Write nothing of it."""
        self._batch.withdraw(job)
        self._stop_alarms(job)

    # -- the scheduler ---------------------------------------------------------------------

    def plan_alloc(self) -> None:
        """Send what may be sent at the end of the loop turn, in the order of priority."""
        if not self._alloc_planned:
            self._alloc_planned = True
            self._flux.loop.call_soon(self._alloc_due)

    def _alloc_due(self) -> None:
        self._alloc_planned = False
        if self._flux.connected:
            self._machine.allocation.send()

    def alloc(self, job: Job) -> None:
        """Ask for what it needs."""
        payload = {
            "id": job.id,
            "priority": job.priority,
            "userid": job.userid,
            "t_submit": job.t_submit,
            "jobspec": job.jobspec,
        }
        self._send("sched.alloc", payload)

    def cancel_alloc(self, job: Job) -> None:
        """Call it back."""
        self._due.append(lambda: self._flux.notify("sched.cancel", {"id": job.id}))

    def free(self, jobid: int, r: Mapping[str, Any]) -> None:
        """Give back all that it had."""
        self._send("sched.free", {"id": jobid, "R": r, "final": True})

    # -- the execution service -------------------------------------------------------------

    def start(self, job: Job) -> None:
        """Let it run."""
        payload = {
            "id": job.id,
            "userid": job.userid,
            "jobspec": job.jobspec,
            "reattach": job.started,
            "R": job.r,
        }
        self._send(f"{self.exec_service}.start", payload)

    def expire(self, job: Job, expiration: float) -> None:
        """Tell when it is to end; a service that does not take it makes it a warning."""
        topic, payload = (
            f"{self.exec_service}.expiration",
            {"id": job.id, "expiration": expiration},
        )
        self._due.append(
            lambda: self._flux.rpc(topic, payload, nodeid=0).then(
                lambda answer: self._expired(job, answer)
            )
        )

    def _expired(self, job: Job, answer: Message) -> None:
        if answer.errnum and job.id in self._machine.active:
            note = (
                "failed to send expiration update to exec system: "
                "job termination may not coincide with expiration"
            )
            self._machine.raise_exception(job, "exec", 1, note)

    # -- everybody -------------------------------------------------------------------------

    def raised(self, job: Job, context: Mapping[str, Any]) -> None:
        """Publish job-exception, for the instance owner only."""
        keys = ("type", "severity", "wait_status")
        event = {"id": job.id, **{key: context[key] for key in keys if key in context}}
        self._due.append(lambda: self._flux.publish("job-exception", event, private=True))

    def wake(self, job: Job, when: float, description: str) -> None:
        """Set an alarm."""
        timer = self._flux.loop.call_later(
            max(0.0, when - self._machine.clock()),
            lambda: self._machine.dependencies.remove(job, description),
        )
        self._alarms.setdefault(job.id, []).append(timer)

    def _stop_alarms(self, job: Job) -> None:
        for timer in self._alarms.pop(job.id, ()):
            timer.cancel()

    def stop(self) -> None:
        """Stop all alarms."""
        for timers in self._alarms.values():
            for timer in timers:
                timer.cancel()

    def inactive(self, job: Job) -> None:
        """Tell those who wait for it."""
        self._stop_alarms(job)
        self._due.append(lambda: self._waits.inactive(job))

    def calm(self) -> None:
        """See who waits for that."""
        self._due.append(self.on_calm)

    def log(self, level: int, text: str) -> None:
        """Write to the log."""
        self._due.append(lambda: self._flux.log(level, text))
