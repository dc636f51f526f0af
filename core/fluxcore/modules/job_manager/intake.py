"""How jobs come to the job manager: submitted, or found in the KVS after a restart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fluxcore.job import states
from fluxcore.job.jobspec import Jobspec
from fluxcore.modules.job_manager.job import NO_PRIORITY, EventError, EventObject, Job, RefusedError
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.payload import need_dict, need_int

#: The version of the submit event that RFC 21 describes.
_VERSION: Final = 1


class Intake:
    """Takes up jobs for a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    # -- new ones --------------------------------------------------------------------------

    def submit(self, entry: Mapping[str, Any]) -> tuple[Job, str | None]:
        """Take up a job of job-manager.submit; with it why not, or None if it is accepted.

        An accepted one waits for Machine.written before it is scheduled.

        :raises PayloadError: the entry is malformed
        """
        job = Job(need_int(entry, "id"), need_dict(entry, "jobspec"))
        context = {
            "userid": need_int(entry, "userid"),
            "urgency": need_int(entry, "urgency"),
            "flags": need_int(entry, "flags"),
            "version": _VERSION,
        }
        when = entry.get("t_submit")
        if not isinstance(when, float | int):
            raise PayloadError
        try:
            self._machine.queues.check_submit(job.queue)
        except OSError as exc:
            return job, exc.strerror
        return job, self._accept(job, context, when)

    def _accept(self, job: Job, context: Mapping[str, Any], when: float) -> str | None:
        machine = self._machine
        machine.active[job.id] = job
        machine.post(job, "submit", context, timestamp=when)
        try:
            machine.dependencies.check(job)
        except RefusedError as exc:
            machine.post(job, "invalidate", commit=False)
            machine.dependencies.refused(job)
            machine.effects.withdraw(job)
            del machine.active[job.id]
            return str(exc)
        self._known(job)
        machine.effects.write(job)
        job.written = False
        machine.dependencies.accepted(job)
        machine.post(job, "validate")
        return None

    def _known(self, job: Job) -> None:
        self._machine.max_jobid = max(self._machine.max_jobid, job.id)
        self._machine.history.add(job)
        self._machine.effects.accepted(job)

    # -- old ones --------------------------------------------------------------------------

    def load(self, jobs: Iterable[Job]) -> None:
        """Take up jobs that were rebuilt from the KVS, and go on with those that are active."""
        jobs = sorted(jobs, key=lambda job: job.id)
        self._machine.run(lambda: self._enter(jobs))
        # Only now that all are there are they looked at: one may wait for another.
        for job in list(self._machine.active.values()):
            self._resume(job)

    def _enter(self, jobs: Sequence[Job]) -> None:
        machine = self._machine
        for job in jobs:
            self._known(job)
            if job.state != states.INACTIVE:
                machine.active[job.id] = job
                machine.running += bool(job.state & states.RUNNING)
        ended = [job for job in jobs if job.state == states.INACTIVE]
        for job in sorted(ended, key=lambda job: job.clean_time):
            machine.inactive[job.id] = job
            machine.effects.inactive(job)

    def _resume(self, job: Job) -> None:
        machine = self._machine
        if job.state & (states.NEW | states.DEPEND):
            machine.dependencies.check_again(job)
        machine.dependencies.accepted(job)
        if job.state == states.NEW:
            # It was accepted, or its first event would not be in the KVS.
            machine.post(job, "validate")
        elif job.state == states.PRIORITY:
            machine.prioritize(job)
        elif job.state == states.SCHED:
            job.priority = NO_PRIORITY
            machine.post(job, "flux-restart")
        else:
            machine.act_on([job])


def replay(
    jobid: int,
    events: Sequence[EventObject],
    jobspec: Jobspec,
    r: Mapping[str, Any] | None,
    eventlog: bytes,
) -> Job:
    """The job that an eventlog tells of.

    :raises EventError: the log is not that of a job
    """
    first = events[0]["name"] if events else "nothing"
    if first != "submit":
        raise EventError(f"first event is {first} not submit")
    version = (events[0].get("context") or {}).get("version", _VERSION)
    if version != _VERSION:
        raise EventError(f"eventlog v{version} is unsupported")
    job = Job(jobid, jobspec)
    job.r = {key: value for key, value in r.items() if key != "scheduling"} if r else None
    for event in events:
        try:
            job.apply(event)
        except EventError as exc:
            raise EventError(f"could not apply {event['name']}: {exc}") from None
    if not job.got_resources:
        job.r = None  # the scheduler has written it, and nobody was told any more
    job.eventlog.append(eventlog)
    return job
