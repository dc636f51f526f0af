"""Who may do what with whose jobs (RFC 12)."""

import errno

from fluxcore.handle.errors import rpc_error
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.constants import ROLE_OWNER, ROLE_USER, USERID_UNKNOWN
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int


def authorize(req: Message, userid: int, refusal: str) -> None:
    """Check that the caller is the instance owner, or ``userid`` itself.

    :raises PermissionError: with the text ``refusal``, it is neither
    """
    if req.rolemask & ROLE_OWNER:
        return
    if not (req.rolemask & ROLE_USER and req.userid == userid and userid != USERID_UNKNOWN):
        raise rpc_error(errno.EPERM, refusal)


def active_job(machine: Machine, req: Message, errnum: int, refusal: str) -> Job:
    """The active job ``{id}`` of a request whose caller may do something with it.

    :raises OSError: ``errnum``: there is none, or it is inactive; EPERM with ``refusal``
    """
    jobid = need_int(req.json, "id")
    job = machine.active.get(jobid)
    if job is None:
        known = jobid in machine.inactive
        raise rpc_error(errnum, "job is inactive" if known else "unknown job id")
    authorize(req, job.userid, refusal)
    return job


def need_userid(req: Message) -> int:
    """The ``{userid}`` of a request; USERID_UNKNOWN stands for everybody."""
    return need_int(req.json, "userid") & USERID_UNKNOWN
