"""Changes of a job's jobspec after submission: job-manager.update (CONTRACTS D7).

A key may be changed if something here knows how: the duration, and for a pending job the queue. All
keys of a request are changed or none. Whoever must agree is asked first: the scheduler about a new
end of a running job, the feasibility service about another queue.
"""

import errno
from collections.abc import Callable, Mapping
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job import states
from fluxcore.job.updates import update_jobspec
from fluxcore.modules.job_manager.access import authorize
from fluxcore.modules.job_manager.job import EventError, Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.constants import ROLE_OWNER, ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int

_DURATION: Final = "attributes.system.duration"
_QUEUE: Final = "attributes.system.queue"
_CONSTRAINTS: Final = "attributes.system.constraints"
_ROOTS: Final = ("attributes", "resources", "tasks")

_Updates = dict[str, Any]


class UpdateService(Service):
    """Changes jobspecs."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine
        self._checks: dict[str, Callable[[Message, Job, Any], _Updates]] = {
            _DURATION: self._check_duration,
            _QUEUE: self._check_queue,
        }
        self._pending: dict[int, Message] = {}

    @method("job-manager.update", role=ROLE_USER)
    def update(self, req: Message) -> Reply:
        """``{id, updates}``, an object from paths of the jobspec to new values."""
        jobid, updates = need_int(req.json, "id"), dict(need_dict(req.json, "updates"))
        if any(key.partition(".")[0] not in _ROOTS for key in updates):
            raise rpc_error(errno.EINVAL, "one or more jobspec updates are invalid")
        job = self._job(req, jobid)
        for key, value in list(updates.items()):
            check = self._checks.get(key)
            if check is None:
                raise rpc_error(errno.EINVAL, f"update of {key} not supported")
            updates.update(check(req, job, value))
        if _QUEUE in updates:
            spec = {"jobspec": update_jobspec(job.jobspec, updates)}
            self._ask(req, job, updates, "feasibility.check", spec, self._feasible)
        elif job.state & states.RUNNING and _DURATION in updates:
            end = {"id": job.id, "expiration": self._expiration(job, updates[_DURATION])}
            self._ask(req, job, updates, "sched.expiration", end, self._agreed)
        else:
            self._post(req, job, updates)
        return DEFERRED

    def _job(self, req: Message, jobid: int) -> Job:
        job = self._machine.active.get(jobid)
        if job is None:
            if jobid in self._machine.inactive:
                raise rpc_error(errno.EINVAL, "job is inactive")
            raise rpc_error(errno.ENOENT, "unknown job id")
        authorize(req, job.userid, "guests may only update their own jobs")
        if job.immutable and not req.rolemask & ROLE_OWNER:
            text = "job is immutable due to previous instance owner update"
            raise rpc_error(errno.EPERM, text)
        return job

    # -- what may be changed ---------------------------------------------------------------

    def _check_duration(self, req: Message, job: Job, value: Any) -> _Updates:
        if type(value) not in (int, float):
            raise rpc_error(errno.EINVAL, "duration must be a number")
        if value < 0:
            raise rpc_error(errno.EINVAL, "duration must not be negative")
        if job.state & states.RUNNING and not req.rolemask & ROLE_OWNER:
            text = "duration update of running job requires instance owner privileges"
            raise rpc_error(errno.EINVAL, text)
        return {}

    def _check_queue(self, _req: Message, job: Job, value: Any) -> _Updates:
        if job.state & states.RUNNING:
            raise rpc_error(errno.EINVAL, "update of queue for running job not supported")
        if job.queue is not None and job.queue == value:
            raise rpc_error(errno.EINVAL, f"job queue is already set to {value}")
        queue = self._machine.queues.find(value if isinstance(value, str) else str(value))
        if not queue.enabled:
            raise rpc_error(errno.EINVAL, f"queue {value} is currently disabled")
        # They are replaced by those of the new queue, so there must be none but the old one's.
        requires = self._machine.queues.find(job.queue).requires
        expected = {"properties": list(requires)} if requires else {}
        if (job.system.get("constraints") or {}) != expected:
            text = (
                f"job appears to have non-queue constraints, unable to update queue to {job.queue}"
            )
            raise rpc_error(errno.EINVAL, text)
        return {_CONSTRAINTS: {"properties": list(queue.requires)} if queue.requires else {}}

    def _expiration(self, job: Job, duration: float) -> float:
        """When a running job is to end if it may run for ``duration``; 0 for never."""
        if duration == 0:
            return 0.0
        execution: Mapping[str, Any] = (job.r or {}).get("execution") or {}
        start = execution.get("starttime") or 0.0
        if start <= 0:
            raise rpc_error(errno.EINVAL, "unable to get job starttime")
        if start + duration <= self._machine.clock():
            text = "requested duration places job expiration in the past"
            raise rpc_error(errno.EINVAL, text)
        return float(start + duration)

    # -- asking others ---------------------------------------------------------------------

    def _ask(
        self,
        req: Message,
        job: Job,
        updates: _Updates,
        topic: str,
        payload: dict[str, Any],
        check: Callable[[Message], None],
    ) -> None:
        key = id(req)
        self._pending[key] = req

        def answered(answer: Message) -> None:
            if self._pending.pop(key, None) is None:
                return
            try:
                check(answer)
                self._post(req, job, updates)
            except OSError as exc:
                self._flux.core.respond_exception(req, exc)

        self._flux.rpc(topic, payload, nodeid=0).then(answered)

    @staticmethod
    def _feasible(answer: Message) -> None:
        if answer.errnum:
            raise rpc_error(answer.errnum, answer.text)

    @staticmethod
    def _agreed(answer: Message) -> None:
        if answer.errnum not in (0, errno.ENOSYS):
            raise rpc_error(answer.errnum, "scheduler refused expiration update")

    # -- the change ------------------------------------------------------------------------

    def _post(self, req: Message, job: Job, updates: _Updates) -> None:
        guests_job = req.rolemask & ROLE_OWNER and req.userid != job.userid
        try:
            if guests_job:
                # The owner may go beyond what a later change of the user's would be held to.
                self._machine.post(job, "set-flags", {"flags": ["immutable"]})
            self._machine.post(job, "jobspec-update", updates)
            if job.state & states.RUNNING and _DURATION in updates:
                expiration = self._expiration(job, updates[_DURATION])
                self._machine.post(job, "resource-update", {"expiration": expiration})
        except EventError as exc:
            raise rpc_error(errno.EINVAL, str(exc)) from None
        self._flux.respond(req)

    def stop(self) -> None:
        """Fail those that wait for an answer."""
        pending, self._pending = self._pending, {}
        for req in pending.values():
            self._flux.respond_error(req, errno.EAGAIN, "job manager is shutting down")
