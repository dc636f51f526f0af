"""Asking about jobs: list, getattr, getinfo, history.get, jobtap (CONTRACTS D10)."""

import errno
from collections.abc import Iterable
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.modules.job_manager.access import authorize
from fluxcore.modules.job_manager.job import Job
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.modules.job_manager.waits import Waits
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_list, need_str, opt_bool

#: What flux-core has as plugins and is built in here, by the names that it lists.
PLUGINS: Final = (
    ".priority-default",
    ".dependency-after",
    ".dependency-singleton",
    ".begin-time",
    ".update-duration",
    ".history",
    ".post-event",
    ".update-queue",
)


class QueryService(Service):
    """Answers questions."""

    def __init__(self, machine: Machine, waits: Waits[Message]) -> None:
        self._machine = machine
        self._waits = waits

    @method("job-manager.list")
    def list(self, req: Message) -> Reply:
        """``{max_entries}`` -> ``{jobs}``: queued ones, other active ones, zombies."""
        limit = need_int(req.json, "max_entries")
        if limit < 0:
            raise PayloadError
        queued = list(self._machine.allocation.queue)
        jobs = queued + [job for job in self._machine.active.values() if not job.alloc_queued]
        chosen = jobs[:limit] if limit else jobs
        return {"jobs": [*_entries(chosen), *_entries(self._waits.zombies.values())]}

    @method("job-manager.getattr", role=ROLE_USER)
    def getattr(self, req: Message) -> Reply:
        """``{id, attrs}`` -> those of jobspec, R and eventlog that were asked for."""
        attrs = need_list(req.json, "attrs")
        job = self._machine.find(need_int(req.json, "id"))
        if job is None:
            raise rpc_error(errno.EINVAL, "unknown job")
        authorize(req, job.userid, "guests can only access their own jobs")
        return {attr: _attribute(job, attr) for attr in map(_name, attrs)}

    @method("job-manager.getinfo", role=ROLE_USER)
    def getinfo(self, _req: Message) -> Reply:
        """-> ``{max_jobid}``."""
        return {"max_jobid": self._machine.max_jobid}

    @method("job-manager.history.get", role=ROLE_USER)
    def history(self, req: Message) -> Reply:
        """``{slice}`` -> ``{jobs}``, the caller's own, the last submitted first."""
        try:
            return {"jobs": self._machine.history.get(req.userid, need_str(req.json, "slice"))}
        except ValueError as exc:
            raise rpc_error(errno.EINVAL, str(exc)) from None

    @method("job-manager.jobtap")
    def jobtap(self, req: Message) -> Reply:
        """``{query_only}`` -> ``{plugins}``; there is no way to load one.

        flux-core's plugins are shared objects that run inside its job manager.
        """
        if opt_bool(req.json, "query_only"):
            return {"plugins": list(PLUGINS)}
        raise rpc_error(errno.ENOSYS, "jobtap plugins cannot be loaded or removed")


def _entries(jobs: Iterable[Job]) -> "list[dict[str, Any]]":
    return [_entry(job) for job in jobs]


def _entry(job: Job) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": job.id,
        "userid": job.userid,
        "urgency": job.urgency,
        "priority": job.priority,
        "t_submit": job.t_submit,
        "state": job.state,
    }
    if job.annotations:
        entry["annotations"] = job.annotations
    if job.dependencies:
        entry["dependencies"] = [*job.dependencies]
    return entry


def _name(attr: object) -> str:
    if not isinstance(attr, str):
        raise rpc_error(errno.EPROTO, "attribute list contains non-string")
    return attr


def _attribute(job: Job, name: str) -> Any:
    if name == "jobspec":
        return job.jobspec
    if name == "eventlog":
        return job.events()
    if name != "R":
        raise rpc_error(errno.ENOENT, f"unknown attr {name}")
    if job.r is None:
        raise rpc_error(errno.ENOENT, "R is NULL")
    return job.r
