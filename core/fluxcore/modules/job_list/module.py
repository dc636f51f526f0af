"""The module: follows the job manager's journal and answers what is asked of it."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO
from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.handle.requests import RequestList, goes_with
from fluxcore.job import states
from fluxcore.job.attributes import ATTRIBUTES, to_json
from fluxcore.job.constraint import MIN_HOSTS
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.modules.job_list.listing import Listings
from fluxcore.modules.job_list.query import parse
from fluxcore.modules.job_list.table import JobTable, Listed
from fluxcore.modules.job_list.waiting import IdRequest, Waiting
from fluxcore.wire.constants import ROLE_ADMIN, ROLE_OWNER, ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_list

#: Seconds after a change until those who watch the counts are told.
_STATS_DELAY: Final = 0.1
_READDIR: Final = 1
#: The id of the journal entry that parts what was before from what happens.
_SENTINEL: Final = (-1, 2**64 - 1)


class JobList(Module):
    """Serves job-list.*."""

    name = "job-list"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without jobs."""
        super().__init__(flux, args, conf)
        self._table = JobTable(self._moved)
        self._waiting = Waiting()
        self._initialized = False
        #: Requests that have come before the jobs were known.
        self._early: list[tuple[Callable[[Message], Reply], Message]] = []
        self._paused: list[Message] | None = None
        self._listings = Listings(flux, self._table)
        self._watchers = RequestList(flux)
        self._stats_timer: asyncio.TimerHandle | None = None
        self._lookups = 0
        self._take_conf(self.conf)

    def _take_conf(self, conf: Mapping[str, Any]) -> None:
        access = conf.get("access", {})
        private = access.get("private-mode", False) if isinstance(access, dict) else None
        if not isinstance(private, bool):
            raise rpc_error(errno.EINVAL, "error reading [access] config: Expected boolean")
        self._private = private
        queues = conf.get("queues", {})
        for name in queues if isinstance(queues, dict) else ():
            self._table.stats.add_queue(name)

    async def start(self) -> None:
        """Follow the journal; requests are answered once it has told of all jobs."""
        stream = self.flux.stream("job-manager.events-journal", {"full": True})
        stream.then(self._journal)

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed configuration."""
        self._take_conf(conf)

    async def stop(self) -> None:
        """Fail those who wait."""
        if self._stats_timer is not None:
            self._stats_timer.cancel()
        self._watchers.end(errno.ENOSYS)
        for request in self._waiting.all():
            self.flux.respond_error(request.req, errno.ENOSYS)

    # -- the journal -----------------------------------------------------------------------

    def _journal(self, entry: Message) -> None:
        if entry.errnum:
            self._journal_ended(entry)
        elif entry.json["id"] in _SENTINEL:
            self._begin()
        elif self._paused is not None:
            self._paused.append(entry)
        else:
            self._take(entry)

    def _journal_ended(self, entry: Message) -> None:
        if entry.errnum == errno.ENODATA:
            self.flux.log(LOG_INFO, "journal: EOF (exiting)")
            self.quit(None)
        else:
            self.quit(rpc_error(entry.errnum, f"journal: {entry.text or ''}"))

    def _take(self, entry: Message) -> None:
        payload = entry.json
        try:
            jobid, events = need_int(payload, "id"), need_list(payload, "events")
            problem = self._table.take(jobid, events, payload.get("jobspec"), payload.get("R"))
            if problem is not None:
                self.flux.log(LOG_ERR, f"job {f58(jobid)} invalid jobspec: {problem}")
        except (OSError, ValueError) as exc:
            self.flux.log(LOG_ERR, f"journal: {exc}")
        if self._watchers and self._stats_timer is None:
            self._stats_timer = self.flux.loop.call_later(_STATS_DELAY, self._tell_stats)

    def _begin(self) -> None:
        """All jobs are known."""
        self._initialized = True
        early, self._early = self._early, []
        for function, req in early:
            try:
                answer = function(req)
            except OSError as exc:
                self.flux.core.respond_exception(req, exc)
            else:
                self.flux.core.answer(req, answer)

    def _later(self, function: Callable[[Message], Reply], req: Message) -> bool:
        """True if ``req`` has come too early; ``function`` is then called with it in time."""
        if not self._initialized:
            self._early.append((function, req))
        return not self._initialized

    def _moved(self, listed: Listed) -> None:
        for request in self._waiting.met(listed):
            self._answer_id(request)

    @on_event("job-purge-inactive")
    def purge(self, event: Message) -> None:
        """``{jobs: [id..]}``: the job manager has forgotten jobs."""
        count = self._table.purge(need_list(event.json, "jobs"))
        self.flux.log(LOG_DEBUG, f"purged {count} inactive jobs")

    # -- listing ---------------------------------------------------------------------------

    @method(".list", role=ROLE_USER)
    def list_jobs(self, req: Message) -> Reply:
        """``{max_entries, attrs, since?, constraint?}`` -> stream of ``{jobs: [job]}``."""
        if self._later(self.list_jobs, req):
            return DEFERRED
        query = parse(req.json, max(self.size, MIN_HOSTS), self._only_user(req))
        self._listings.begin(req, query)
        return DEFERRED

    def _only_user(self, req: Message) -> int | None:
        """Whose jobs alone the sender may see, in private mode; None for all."""
        if self._private and not req.rolemask & (ROLE_OWNER | ROLE_ADMIN):
            return req.userid
        return None

    @method(".list-attrs", role=ROLE_USER)
    def list_attrs(self, req: Message) -> Reply:
        """-> ``{attrs: [name..]}``."""
        if self._later(self.list_attrs, req):
            return DEFERRED
        return {"attrs": [*ATTRIBUTES, "all"]}

    # -- one job ---------------------------------------------------------------------------

    @method(".list-id", role=ROLE_USER)
    def list_id(self, req: Message) -> Reply:
        """``{id, attrs, state?}`` -> ``{job}``, once it has been in that state."""
        if self._later(self.list_id, req):
            return DEFERRED
        request = self._parse_id(req)
        listed = self._table.jobs.get(request.id)
        if listed is None:
            self._check_id(request)
        elif request.is_met(listed):
            self._answer_id(request)
        else:
            self._waiting.add(request)
        return DEFERRED

    def _parse_id(self, req: Message) -> IdRequest:
        payload = req.json
        jobid, attrs = payload.get("id"), payload.get("attrs")
        state = payload.get("state", 0)
        if type(jobid) is not int or "attrs" not in payload or type(state) is not int:
            raise rpc_error(errno.EPROTO, "invalid payload: id and attrs are required")
        if not isinstance(attrs, list):
            raise rpc_error(errno.EPROTO, "invalid payload: attrs must be an array")
        if state & ~(states.ACTIVE | states.INACTIVE):
            raise rpc_error(errno.EPROTO, "invalid payload: invalid state specified")
        return IdRequest(req, jobid, attrs, state)

    def _check_id(self, request: IdRequest) -> None:
        """Ask the KVS whether there is a job that the journal has not told of."""
        payload = {"key": kvs_key(request.id), "namespace": PRIMARY, "flags": _READDIR}
        self._lookups += 1
        self.flux.rpc("kvs.lookup", payload).then(partial(self._id_checked, request))

    def _id_checked(self, request: IdRequest, answer: Message) -> None:
        self._lookups -= 1
        if answer.errnum:
            self.flux.respond_error(request.req, answer.errnum)
        elif request.is_met(self._table.jobs.get(request.id)):
            self._answer_id(request)
        else:
            self._waiting.add(request)

    def _answer_id(self, request: IdRequest) -> None:
        info = self._table.jobs[request.id].info
        user = self._only_user(request.req)
        if user is not None and user != info.userid:
            self.flux.respond_error(request.req, errno.ENOENT)
            return
        try:
            self.flux.respond(request.req, {"job": to_json(info, request.attrs)})
        except ValueError as exc:
            self.flux.respond_error(request.req, errno.EINVAL, str(exc))

    # -- counts ----------------------------------------------------------------------------

    @method(".job-stats", role=ROLE_USER)
    def job_stats(self, req: Message) -> Reply:
        """-> the counts; streaming, again when they have changed."""
        if self._only_user(req) is not None:
            raise rpc_error(errno.EPERM)
        if not req.streaming:
            return self._table.stats.to_json()
        self._watchers.add(req)
        self.flux.respond(req, self._table.stats.to_json())
        return DEFERRED

    def _tell_stats(self) -> None:
        self._stats_timer = None
        if self.flux.connected:
            self._watchers.respond(self._table.stats.to_json())

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, req: Message) -> Reply:
        return DEFERRED if self._later(self._stats_get, req) else self.stats()

    def stats(self) -> dict[str, Any]:
        """What job-list.stats-get answers."""
        table = self._table
        return {
            "jobs": {
                "pending": len(table.pending),
                "running": len(table.running),
                "inactive": len(table.inactive),
            },
            "idsync": {"lookups": self._lookups, "waits": len(self._waiting)},
            "stats_watchers": len(self._watchers),
        }

    # -- the rest --------------------------------------------------------------------------

    @method(".job-state-pause", role=ROLE_USER)
    def pause(self, req: Message) -> Reply:
        """Take no events for now: for tests."""
        if self._later(self.pause, req):
            return DEFERRED
        if self._paused is None:
            self._paused = []
        return None

    @method(".job-state-unpause", role=ROLE_USER)
    def unpause(self, req: Message) -> Reply:
        """Take the events that have come meanwhile, and go on."""
        if self._later(self.unpause, req):
            return DEFERRED
        paused, self._paused = self._paused or [], None
        for entry in paused:
            self._take(entry)
        return None

    @method(".disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client is gone, and what it has asked for with it."""
        self._watchers.disconnect(req)
        self._listings.disconnect(req)
        waiting = [each.req for each in self._waiting.all() if goes_with(each.req, req)]
        self._waiting.forget(waiting)
        return DEFERRED
