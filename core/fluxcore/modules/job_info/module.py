"""The module: its requests, and who watches what."""

import errno
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.requests import RequestList, sender
from fluxcore.modules.job_info.access import Owners
from fluxcore.modules.job_info.kvs_events import INITIAL_SENTINEL, WAITCREATE
from fluxcore.modules.job_info.lookup import UPDATES, LookupService
from fluxcore.modules.job_info.turns import Turns
from fluxcore.modules.job_info.updates import UpdateWatch
from fluxcore.modules.job_info.watch import GuestWatch, LogWatch, Wanted
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str

_GUEST: Final = "guest."
_Key = tuple[str, int]


class JobInfoService(Module):
    """Serves job-info.*."""

    name = "job-info"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without watchers."""
        super().__init__(flux, args, conf)
        self._owners = Owners()
        self._lookups = LookupService(flux, self._owners)
        self._lookups.bind(flux.core)
        self._requests = RequestList(flux)
        self._turns = Turns(flux.loop)
        self._watches: dict[_Key, LogWatch | GuestWatch] = {}
        self._updates: dict[tuple[int, str], UpdateWatch] = {}

    # -- eventlogs -------------------------------------------------------------------------

    @method(".eventlog-watch", role=ROLE_USER)
    def eventlog_watch(self, req: Message) -> Reply:
        """``{id, path, flags}`` -> stream of ``{event}``, a line each."""
        jobid, path = need_int(req.json, "id"), need_str(req.json, "path")
        flags = need_int(req.json, "flags")
        if flags & ~(WAITCREATE | INITIAL_SENTINEL):
            text = "eventlog-watch request rejected with invalid flag"
            raise rpc_error(errno.EPROTO, text)
        if not req.streaming:
            text = "eventlog-watch request rejected without streaming RPC flag"
            raise rpc_error(errno.EPROTO, text)
        if _key(req) in self._watches:
            raise rpc_error(errno.EINVAL)  # as kvs-watch: two could not be told apart
        done = partial(self._watched, req)
        watch: LogWatch | GuestWatch
        if path.startswith(_GUEST):
            wanted = Wanted(req, jobid, path.removeprefix(_GUEST), flags)
            watch = GuestWatch(self.flux, wanted, self._owners, done)
            self._turns.opened(req, jobid)
        else:
            wanted = Wanted(req, jobid, path, flags)
            watch = LogWatch(self.flux, wanted, self._owners, done, self._turns)
        self._requests.add(req)
        self._watches[_key(req)] = watch
        watch.start(self._lookups)
        return DEFERRED

    def _watched(self, req: Message) -> None:
        self._requests.discard(req)
        self._forget(req)

    def _forget(self, req: Message) -> LogWatch | GuestWatch | None:
        watch = self._watches.pop(_key(req), None)
        if isinstance(watch, GuestWatch):
            self._turns.ended(req, watch.id, watch.path)
        return watch

    @method(".eventlog-watch-cancel", role=ROLE_USER)
    def eventlog_watch_cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end that watch of the same sender with ENODATA. Nobody waits."""
        self._stop(self._requests.cancel(req))
        return DEFERRED

    def _stop(self, req: Message | None) -> None:
        watch = self._forget(req) if req is not None else None
        if watch is not None:
            watch.stop()

    # -- R and jobspec ---------------------------------------------------------------------

    @method(".update-watch", role=ROLE_USER)
    def update_watch(self, req: Message) -> Reply:
        """``{id, key, flags: 0}`` -> stream of ``{KEY: object}``, first as it is now."""
        jobid, key = need_int(req.json, "id"), need_str(req.json, "key")
        if need_int(req.json, "flags"):
            raise rpc_error(errno.EPROTO, "update-watch request rejected with invalid flag")
        if not req.streaming:
            text = "update-watch request rejected without streaming RPC flag"
            raise rpc_error(errno.EPROTO, text)
        if key not in UPDATES:
            raise rpc_error(errno.EINVAL, "update-watch unsupported key specified")
        watch = self._updates.get((jobid, key))
        if watch is not None:
            watch.add(req)
            return DEFERRED
        watch = UpdateWatch(self.flux, self._owners, jobid, key, self._updates_ended)
        self._updates[jobid, key] = watch
        watch.add(req)
        watch.start(self._lookups)
        return DEFERRED

    def _updates_ended(self, watch: UpdateWatch) -> None:
        if self._updates.get(watch.where) is watch:
            del self._updates[watch.where]

    @method(".update-watch-cancel", role=ROLE_USER)
    def update_watch_cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end that watch of the same sender with ENODATA. Nobody waits."""
        for watch in list(self._updates.values()):
            if watch.requests.cancel(req) is not None:
                self._stop_unwatched(watch)
                break
        return DEFERRED

    def _stop_unwatched(self, watch: UpdateWatch) -> None:
        if not watch.requests:
            watch.stop()
            self._updates_ended(watch)

    # -- the end ---------------------------------------------------------------------------

    @method(".disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client is gone, and its watches with it."""
        for gone in self._requests.disconnect(req):
            self._stop(gone)
        for watch in list(self._updates.values()):
            watch.requests.disconnect(req)
            self._stop_unwatched(watch)
        return DEFERRED

    async def stop(self) -> None:
        """End all watches."""
        for watch in self._watches.values():
            watch.stop()
        self._requests.end(errno.ENOSYS)
        for updates in list(self._updates.values()):
            updates.stop()
            updates.requests.end(errno.ENOSYS)

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What job-info.stats-get answers; ``watchers`` counts those of guests' logs too."""
        guests = sum(isinstance(watch, GuestWatch) for watch in self._watches.values())
        return {
            "lookups": self._lookups.pending,
            "watchers": len(self._watches),
            "guest_watchers": guests,
            "update_lookups": 0,
            "update_watchers": sum(len(watch.requests) for watch in self._updates.values()),
        }


def _key(req: Message) -> _Key:
    return sender(req), req.matchtag
