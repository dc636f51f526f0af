"""The scheduler's side of the job manager: job-manager.sched-*, sched.alloc (RFC 27, E0)."""

import errno
import os
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.requests import sender
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job import states
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.resource.rset import ResourceSet
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str, opt_bool, opt_str

#: What an answer to sched.alloc says.
_SUCCESS: Final = 0
_ANNOTATE: Final = 1
_DENY: Final = 2
_CANCEL: Final = 3


class SchedService(Service):
    """Talks to the scheduler."""

    def __init__(self, flux: Flux, machine: Machine) -> None:
        self._flux = flux
        self._machine = machine
        self._scheduler = ""
        self._allocated: tuple[int, dict[str, Any]] | None = None
        flux.core.on_untagged("sched.alloc", self._answered)

    # -- the handshake ---------------------------------------------------------------------

    @method("job-manager.sched-hello")
    def hello(self, req: Message) -> Reply:
        """``{partial-ok?}``, streaming: each job that has resources."""
        partial_ok = req.has_payload and opt_bool(req.json, "partial-ok")
        if not req.streaming:
            raise rpc_error(errno.EPROTO)
        self._flux.log(LOG_DEBUG, f"scheduler: hello{' +partial-ok' if partial_ok else ''}")
        for job in list(self._machine.active.values()):
            if job.has_resources and not job.alloc_bypass:
                entry = {
                    "id": job.id,
                    "priority": job.priority,
                    "userid": job.userid,
                    "t_submit": job.t_submit,
                }
                self._flux.respond(req, entry)
        raise rpc_error(errno.ENODATA)

    @method("job-manager.sched-ready")
    def ready(self, req: Message) -> Reply:
        """``{mode, limit?}`` -> ``{count}``: the scheduler takes requests from now on."""
        mode = need_str(req.json, "mode")
        limit = need_int(req.json, "limit") if mode == "limited" else 0
        if mode not in ("limited", "unlimited") or (mode == "limited" and limit <= 0):
            raise PayloadError
        self._scheduler = sender(req)
        self._flux.log(LOG_DEBUG, f"scheduler: ready {mode}")
        self._flux.respond(req, {"count": len(self._machine.allocation.queue)})
        self._machine.allocation.ready(limit)
        return DEFERRED

    def disconnect(self, req: Message) -> None:
        """A client is gone; perhaps it was the scheduler."""
        if self._scheduler and sender(req) == self._scheduler:
            self._gone("disconnect: Success")

    def _gone(self, why: str) -> None:
        self._scheduler = ""
        self._machine.allocation.gone(why)

    # -- its answers -----------------------------------------------------------------------

    def _answered(self, answer: Message) -> None:
        try:
            if answer.errnum:
                raise rpc_error(answer.errnum)
            self._take(answer.json)
        except OSError as exc:
            self._gone(f"alloc response error: {os.strerror(exc.errno or 0)}")

    def _take(self, payload: dict[str, Any]) -> None:
        jobid, kind = need_int(payload, "id"), need_int(payload, "type")
        allocation = self._machine.allocation
        if kind == _SUCCESS:
            if "R" not in payload:
                self._flux.log(LOG_ERR, "sched.alloc-response: protocol error")
            annotations = need_dict(payload, "annotations") if "annotations" in payload else None
            allocation.succeeded(jobid, need_dict(payload, "R"), annotations)
        elif kind == _ANNOTATE:
            allocation.annotated(jobid, need_dict(payload, "annotations"))
        elif kind == _DENY:
            allocation.denied(jobid, opt_str(payload, "note") or "")
        elif kind == _CANCEL:
            allocation.cancelled(jobid)
        else:
            raise rpc_error(errno.EINVAL)

    # -- asking ----------------------------------------------------------------------------

    @method("job-manager.alloc-query", role=ROLE_USER)
    def query(self, _req: Message) -> Reply:
        """-> ``{queue_length, alloc_pending, running}``."""
        return {
            "queue_length": len(self._machine.allocation.queue),
            "alloc_pending": len(self._machine.allocation.sent),
            "running": self._machine.running,
        }

    @method("job-manager.resource-status")
    def resource_status(self, _req: Message) -> Reply:
        """-> ``{allocated}``: an R of all that jobs have."""
        changes = self._machine.allocation.changes
        if self._allocated is None or self._allocated[0] != changes:
            self._allocated = (changes, self._sum())
        return {"allocated": self._allocated[1]}

    def _sum(self) -> dict[str, Any]:
        allocated = ResourceSet({})
        for job in self._machine.active.values():
            running = job.state & states.RUNNING and not job.free_posted and not job.alloc_bypass
            if running and job.r is not None:
                try:
                    allocated |= ResourceSet.from_json(job.r)
                except ValueError as exc:
                    text = f"{job.id}: error converting JSON to rlist: {exc}"
                    raise rpc_error(errno.EINVAL, text) from None
        return allocated.to_json()
