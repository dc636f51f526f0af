"""Exceptions and signals: job-manager.raise, raiseall, kill, killall (CONTRACTS D5, D6)."""

import errno
import signal
from collections.abc import Iterator
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.job import states
from fluxcore.modules.job_manager.access import active_job, authorize, need_userid
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.constants import ROLE_USER, USERID_UNKNOWN
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_bool, need_int, need_str, opt_int, opt_str

_MAX_SEVERITY: Final = 7
_NO_STATUS: Final = -1
_NOT_RAISER: Final = "guests can only raise exceptions on their own jobs"
_NOT_SIGNALER: Final = "guests may only send signals to their own jobs"


class ExceptionService(Service):
    """Ends jobs, or tells them something."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine

    @method("job-manager.raise", role=ROLE_USER)
    def raise_one(self, req: Message) -> Reply:
        """``{id, severity, type, note?, wait_status?}``."""
        severity, kind = need_int(req.json, "severity"), need_str(req.json, "type")
        note = opt_str(req.json, "note")
        status = opt_int(req.json, "wait_status", _NO_STATUS)
        need_int(req.json, "id")
        _check_exception(severity, kind)
        job = active_job(self._machine, req, errno.ENOENT, _NOT_RAISER)
        self._machine.raise_exception(
            job,
            kind,
            severity,
            note or "",
            userid=req.userid,
            wait_status=None if status < 0 else status,
        )
        return None

    @method("job-manager.raiseall", role=ROLE_USER)
    def raise_all(self, req: Message) -> Reply:
        """``{dry_run, userid, states, severity, type, note?}`` -> ``{count, errors}``."""
        dry_run, userid = need_bool(req.json, "dry_run"), need_userid(req)
        mask = need_int(req.json, "states")
        severity, kind = need_int(req.json, "severity"), need_str(req.json, "type")
        note = opt_str(req.json, "note") or ""
        authorize(req, userid, _NOT_RAISER)
        _check_exception(severity, kind)
        jobs = list(self._matching(userid, mask))
        for job in () if dry_run else jobs:
            if job.state != states.INACTIVE:  # that of another one may have ended it
                self._machine.raise_exception(job, kind, severity, note, userid=req.userid)
        return {"count": len(jobs), "errors": 0}

    def _matching(self, userid: int, mask: int) -> Iterator[Job]:
        for job in self._machine.active.values():
            if job.state & mask and userid in (USERID_UNKNOWN, job.userid):
                yield job

    @method("job-manager.kill", role=ROLE_USER)
    def kill(self, req: Message) -> Reply:
        """``{id, signum}``: the job's shells hear of it by an event."""
        need_int(req.json, "id")
        signum = need_int(req.json, "signum")
        _check_signal(signum)
        job = active_job(self._machine, req, errno.EINVAL, _NOT_SIGNALER)
        if not job.state & states.RUNNING:
            raise rpc_error(errno.EINVAL, "job is not running")
        self._signal(job, signum)
        return None

    @method("job-manager.killall", role=ROLE_USER)
    def kill_all(self, req: Message) -> Reply:
        """``{dry_run, userid, signum}`` -> ``{count, errors}``."""
        dry_run, userid = need_bool(req.json, "dry_run"), need_userid(req)
        signum = need_int(req.json, "signum")
        authorize(req, userid, "guests can only kill their own jobs")
        _check_signal(signum)
        jobs = list(self._matching(userid, states.RUNNING))
        for job in () if dry_run else jobs:
            self._signal(job, signum)
        return {"count": len(jobs), "errors": 0}

    def _signal(self, job: Job, signum: int) -> None:
        self._flux.publish(f"shell-{job.id}.kill", {"signum": signum})


def _check_exception(severity: int, kind: str) -> None:
    if not 0 <= severity <= _MAX_SEVERITY:
        raise rpc_error(errno.EPROTO, "invalid exception severity")
    if not kind or "=" in kind or any(char.isspace() for char in kind):
        raise rpc_error(errno.EPROTO, "invalid exception type")


def _check_signal(signum: int) -> None:
    if not 0 < signum < signal.NSIG:
        raise rpc_error(errno.EINVAL, "Invalid signal number")
