"""Changing jobs: urgency, memo, post-event (CONTRACTS D7, D10)."""

import errno
from collections.abc import Mapping
from typing import Any

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.job.submission import URGENCY_DEFAULT, URGENCY_MAX, URGENCY_MIN
from fluxcore.modules.job_manager.access import active_job
from fluxcore.modules.job_manager.job import EventError, Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.constants import ROLE_OWNER, ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str, opt_bool


class ChangeService(Service):
    """Changes of one job."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @method("job-manager.urgency", role=ROLE_USER)
    def urgency(self, req: Message) -> Reply:
        """``{id, urgency}`` -> ``{old_urgency}``."""
        need_int(req.json, "id")
        urgency = need_int(req.json, "urgency")
        if not URGENCY_MIN <= urgency <= URGENCY_MAX:
            raise rpc_error(errno.EINVAL, "urgency value is out of range")
        job = active_job(
            self._machine, req, errno.EINVAL, "guests can only reprioritize their own jobs"
        )
        if not req.rolemask & ROLE_OWNER and urgency > max(URGENCY_DEFAULT, job.urgency):
            raise rpc_error(errno.EPERM, "guests can only adjust urgency <= default")
        if job.has_resources:
            text = "urgency cannot be changed once resources are allocated"
            raise rpc_error(errno.EINVAL, text)
        old = job.urgency
        _post(self._machine, job, "urgency", {"userid": req.userid, "urgency": urgency})
        return {"old_urgency": old}

    @method("job-manager.memo", role=ROLE_USER)
    def memo(self, req: Message) -> Reply:
        """``{id, volatile?, memo}``: a volatile one is not written to the eventlog."""
        volatile, memo = opt_bool(req.json, "volatile"), need_dict(req.json, "memo")
        job = active_job(
            self._machine, req, errno.ENOENT, "guests can only add a memo to their own jobs"
        )
        _post(self._machine, job, "memo", memo, commit=not volatile)
        return None

    @method("job-manager.post-event.post")
    def post_event(self, req: Message) -> Reply:
        """``{id, name, context?}``: any event, for tests."""
        name = need_str(req.json, "name")
        context = need_dict(req.json, "context") if "context" in req.json else None
        job = active_job(self._machine, req, errno.ENOENT, "")
        _post(self._machine, job, name, context)
        return None


def _post(
    machine: Machine, job: Job, name: str, context: Mapping[str, Any] | None, *, commit: bool = True
) -> None:
    try:
        machine.post(job, name, context, commit=commit)
    except EventError as exc:
        raise rpc_error(errno.EINVAL, str(exc)) from None
