"""The execution service's side of the job manager: exec-hello, and what it says of jobs (RFC 32).

There is one execution service at a time. A start request is answered many times, by the job's id,
until the last of its resources is released.
"""

import errno
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.requests import sender
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job import states
from fluxcore.job.jobid import f58
from fluxcore.modules.job_manager.actions import Actions
from fluxcore.modules.job_manager.job import EventError, Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str, opt_str


class ExecService(Service):
    """Talks to the execution service."""

    def __init__(self, flux: Flux, machine: Machine, actions: Actions) -> None:
        self._flux = flux
        self._machine = machine
        self._actions = actions
        self._client = ""

    @method("job-manager.exec-hello")
    def hello(self, req: Message) -> Reply:
        """``{service}``: jobs are to be started there from now on."""
        service = need_str(req.json, "service")
        jobs = list(self._machine.active.values())
        if self._actions.exec_service:
            if any(job.start_pending for job in jobs):
                raise rpc_error(errno.EINVAL)
            self._flux.core.off_untagged(f"{self._actions.exec_service}.start")
        self._actions.exec_service = service
        self._client = sender(req)
        self._flux.core.on_untagged(f"{service}.start", self._answered)
        self._flux.respond(req)
        self._machine.exec_online = True
        # One in CLEANUP has lost its service before that released it: nobody else will.
        self._machine.act_on(job for job in jobs if job.state & states.RUNNING)
        return DEFERRED

    def disconnect(self, req: Message) -> None:
        """A client is gone; perhaps it was the execution service."""
        if self._client and sender(req) == self._client:
            self._gone("disconnect")

    def _gone(self, why: str) -> None:
        self._flux.log(LOG_DEBUG, f"start: stop due to {why}")
        self._flux.core.off_untagged(f"{self._actions.exec_service}.start")
        self._actions.exec_service = self._client = ""
        self._machine.exec_online = False
        for job in list(self._machine.active.values()):
            if job.start_pending:
                job.start_pending = False
                if job.debug:
                    self._machine.post(job, "debug.start-lost", {"note": why})

    # -- what it says ----------------------------------------------------------------------

    def _answered(self, answer: Message) -> None:
        if answer.errnum:
            self._gone(f"start response error: {os.strerror(answer.errnum)}")
            return
        try:
            self._take(answer.json)
        except EventError as exc:
            self._flux.log(LOG_ERR, f"start response: {exc}")
        except PayloadError:
            self._flux.log(LOG_ERR, "start response payload: Protocol error")

    def _take(self, payload: Mapping[str, Any]) -> None:
        jobid, kind = need_int(payload, "id"), need_str(payload, "type")
        data = need_dict(payload, "data")
        job = self._machine.active.get(jobid)
        if job is None:
            raise EventError(f"id={f58(jobid)} not active")
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise EventError(f"unknown response type={kind}")
        handler(self, job, data)

    def _start(self, job: Job, _data: Mapping[str, Any]) -> None:
        if job.started:
            raise EventError(f"id={f58(job.id)} should not get start event")
        self._machine.post(job, "start")

    def _reattached(self, job: Job, _data: Mapping[str, Any]) -> None:
        if job.debug:
            self._machine.post(job, "debug.exec-reattach-finish")

    def _release(self, job: Job, data: Mapping[str, Any]) -> None:
        final = data.get("final")
        if not isinstance(final, bool):
            raise PayloadError
        context = {"ranks": need_str(data, "ranks"), "final": final}
        if final:  # it has nothing more to say
            job.start_pending = False
        self._machine.post(job, "release", context)

    def _exception(self, job: Job, data: Mapping[str, Any]) -> None:
        context = {
            "type": need_str(data, "type"),
            "severity": need_int(data, "severity"),
            "userid": self._machine.owner,
            "note": opt_str(data, "note") or "",
        }
        self._machine.post(job, "exception", context)

    def _finish(self, job: Job, data: Mapping[str, Any]) -> None:
        self._machine.post(job, "finish", {"status": need_int(data, "status")})


_HANDLERS: Final[Mapping[str, Callable[[ExecService, Job, Mapping[str, Any]], None]]] = {
    "start": ExecService._start,
    "reattached": ExecService._reattached,
    "release": ExecService._release,
    "exception": ExecService._exception,
    "finish": ExecService._finish,
}
