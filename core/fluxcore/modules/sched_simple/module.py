"""The scheduler module: RFC 27's conversations around :class:`~.scheduler.Scheduler`.

It counts as loaded before it knows of resources: they come when the other ranks have told of
theirs, and those wait for rank 0 to finish loading.
"""

import errno
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.job.jobspec import JobspecError
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import Op, put
from fluxcore.modules.sched_simple.handshake import Handshake
from fluxcore.modules.sched_simple.options import parse_options
from fluxcore.modules.sched_simple.scheduler import Allocated, Denied, Scheduler
from fluxcore.resource.request import UnsatisfiableError
from fluxcore.resource.rset import ResourceSet
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_bool, need_dict, need_int, need_list, need_number

#: What an answer to sched.alloc says.
_SUCCESS: Final = 0
_ANNOTATE: Final = 1
_DENY: Final = 2
_CANCEL: Final = 3

#: Bits of ``flux module debug``, for tests: deny all, say why jobs wait, refuse expirations.
_FAIL_ALLOC: Final = 1
_SAY_WHY: Final = 2
_REFUSE_EXPIRATION: Final = 4


class SchedSimple(Module):
    """Serves sched.* and feasibility.check, on rank 0."""

    name = "sched-simple"
    placement = "loop"
    services = ("sched", "feasibility")

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without resources.

        :raises OSError: EINVAL for a bad argument
        """
        super().__init__(flux, args, conf)
        self._options = parse_options(self.args)
        self._scheduler: Scheduler | None = None
        self._requests: dict[int, Message] = {}
        #: Those of them that we have said of why they wait.
        self._told_why: set[int] = set()
        self._planned = False
        self._passes = 0

    def _log(self, level: int, text: str) -> None:
        if level <= self._options.log_level:
            self.flux.log(level, text)

    async def start(self) -> None:
        """Begin to ask for resources."""
        self.flux.task(self._begin(), "initialization")

    async def _begin(self) -> None:
        handshake = Handshake(self.flux, self._log, self._plan)
        try:
            self._scheduler = await handshake.scheduler(self._lost_resources)
            await handshake.hello(self._scheduler)
            await handshake.ready(self._options)
        except OSError as exc:
            self._log(LOG_ERR, f"initialization failed: {exc.strerror}")
            self.quit(exc)

    def _lost_resources(self, exc: OSError) -> None:
        self._log(LOG_ERR, f"exiting due to resource update failure: {exc.strerror}")
        self.quit(None)

    # -- requests --------------------------------------------------------------------------

    def _ready(self) -> Scheduler:
        if self._scheduler is None:
            raise rpc_error(errno.EAGAIN, "no resources are known yet")
        return self._scheduler

    @method("sched.alloc")
    def alloc(self, req: Message) -> Reply:
        """``{id, priority, userid, t_submit, jobspec}``, answered by the id when it is decided."""
        jobid, priority = need_int(req.json, "id"), need_int(req.json, "priority")
        jobspec = need_dict(req.json, "jobspec")
        scheduler = self._ready()
        self._requests[jobid] = req
        if self.debug_flags & _FAIL_ALLOC:
            self._deny(Denied(jobid, "DEBUG_FAIL_ALLOC"))
            return DEFERRED
        denied = scheduler.alloc(jobid, priority, jobspec)
        if denied is not None:
            self._log(LOG_ERR, f"alloc: job {f58(jobid)}: {denied.note}")
            self._deny(denied)
        self._plan()
        return DEFERRED

    @method("sched.free")
    def free(self, req: Message) -> Reply:
        """``{id, R, final?}``; nobody waits for an answer unless it is a bad one (E0)."""
        jobid, r = need_int(req.json, "id"), need_dict(req.json, "R")
        final = need_bool(req.json, "final") if "final" in req.json else False
        try:
            self._ready().free(jobid, ResourceSet.from_json(r), final=final)
        except ValueError as exc:
            self._log(LOG_ERR, f"free: {exc}")
            raise rpc_error(errno.EPROTO, str(exc)) from None
        self._plan()
        return DEFERRED

    @method("sched.cancel")
    def cancel(self, req: Message) -> Reply:
        """``{id}``: the request is answered as cancelled, unless it is decided already."""
        jobid = need_int(req.json, "id")
        if self._ready().cancel(jobid):
            self._answer(jobid, {"id": jobid, "type": _CANCEL})
        self._plan()
        return DEFERRED

    @method("sched.prioritize")
    def prioritize(self, req: Message) -> Reply:
        """``{jobs}``, pairs of id and priority."""
        pairs = need_list(req.json, "jobs")
        for pair in pairs:
            if not isinstance(pair, list) or [type(part) for part in pair] != [int, int]:
                raise PayloadError
        self._ready().prioritize((jobid, priority) for jobid, priority in pairs)
        self._plan()
        return DEFERRED

    @method("sched.expiration")
    def expiration(self, req: Message) -> Reply:
        """``{id, expiration}``: may a running job end then? Here it always may."""
        need_int(req.json, "id")
        expiration = need_number(req.json, "expiration")
        if expiration < 0:
            raise rpc_error(errno.EINVAL, f"invalid expiration {expiration}")
        if self.debug_flags & _REFUSE_EXPIRATION:
            raise rpc_error(errno.EINVAL, "Rejecting expiration update for testing")
        return None

    @method("sched.resource-status")
    def resource_status(self, _req: Message) -> Reply:
        """-> ``{all, allocated, down}``, an R each."""
        pool = self._ready().pool
        return {
            "all": pool.inventory.to_json(),
            "allocated": pool.allocated_set().to_json(),
            "down": pool.down_set().to_json(),
        }

    @method("feasibility.check", role=ROLE_USER)
    def check(self, req: Message) -> Reply:
        """``{jobspec}``: EOVERFLOW if the instance never could run it."""
        jobspec = need_dict(req.json, "jobspec")
        try:
            self._ready().check(jobspec)
        except JobspecError as exc:
            raise rpc_error(errno.EINVAL, exc.text) from None
        except UnsatisfiableError as exc:
            raise rpc_error(errno.EOVERFLOW, str(exc)) from None
        return None

    # -- deciding --------------------------------------------------------------------------

    def _plan(self) -> None:
        """Schedule at the end of the loop turn: what comes together is decided together."""
        if not self._planned:
            self._planned = True
            self.flux.loop.call_soon(self._schedule)

    def _schedule(self) -> None:
        self._planned = False
        if self._scheduler is None or not self.flux.connected:
            return
        self._passes += 1
        allocated: list[tuple[int, dict[str, Any]]] = []
        ops: list[Op] = []
        for decision in self._scheduler.schedule(time.time()):
            if isinstance(decision, Denied):
                self._deny(decision)
                continue
            r = decision.rset.to_json()
            ops.append(put(kvs_key(decision.id, "R"), orjson.dumps(r)))
            allocated.append((decision.id, self._success(decision, r)))
        if ops:
            # An R is in the KVS before anybody is told of it (RFC 27).
            payload = {"namespace": PRIMARY, "flags": 0, "ops": ops}
            self.flux.rpc("kvs.commit", payload).then(
                lambda answer: self._committed(answer, allocated)
            )
        if self.debug_flags & _SAY_WHY:
            self._annotate_waiting(self._scheduler)

    def _committed(self, answer: Message, allocated: list[tuple[int, dict[str, Any]]]) -> None:
        if answer.errnum:
            error = rpc_error(answer.errnum, f"alloc: KVS commit failed: {answer.text or ''}")
            self.quit(error)
            return
        for jobid, payload in allocated:
            self._answer(jobid, payload)

    def _deny(self, denied: Denied) -> None:
        self._answer(denied.id, {"id": denied.id, "type": _DENY, "note": denied.note})

    def _answer(self, jobid: int, payload: dict[str, Any]) -> None:
        self._told_why.discard(jobid)
        req = self._requests.pop(jobid, None)
        if req is not None:
            self.flux.respond(req, payload)

    def _annotate_waiting(self, scheduler: Scheduler) -> None:
        for ahead, job in enumerate(scheduler.queue):
            self._told_why.add(job.id)
            why = {"reason_pending": "insufficient resources", "jobs_ahead": ahead}
            payload = {"id": job.id, "type": _ANNOTATE, "annotations": {"sched": why}}
            self.flux.respond(self._requests[job.id], payload)

    def _success(self, decision: Allocated, r: dict[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = {"resource_summary": decision.rset.summary()}
        if decision.id in self._told_why:  # it waits no more
            said |= {"reason_pending": None, "jobs_ahead": None}
        return {"id": decision.id, "type": _SUCCESS, "R": r, "annotations": {"sched": said}}

    # -- statistics ------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """What sched-simple.stats-get answers."""
        pending = len(self._scheduler.queue) if self._scheduler is not None else 0
        return {"sched_passes": self._passes, "pending_jobs": pending}
