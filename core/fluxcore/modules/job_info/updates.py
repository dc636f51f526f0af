"""Following R or the jobspec of a job: job-info.update-watch (CONTRACTS D11).

Those who watch the same key of a job share one watch of its eventlog.
"""

import errno
import os
from collections.abc import Callable
from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.requests import RequestList
from fluxcore.job.eventlog import Event, decode, decode_log
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.modules.job_info.access import Owners
from fluxcore.modules.job_info.kvs_events import KvsEvents, is_clean, lines
from fluxcore.modules.job_info.lookup import UPDATES, LookupService, Values
from fluxcore.wire.message import Message


class UpdateWatch:
    """One key of one job, and who watches it. ``done`` is given it when it has ended."""

    def __init__(
        self,
        flux: Flux,
        owners: Owners,
        jobid: int,
        key: str,
        done: Callable[["UpdateWatch"], None],
    ) -> None:
        self._flux = flux
        self._owners = owners
        #: What is watched: a job's id, and a key.
        self.where = (jobid, key)
        self._id = jobid
        self._key = key
        self._done = done
        self._name, self._update = UPDATES[key]
        self._events: KvsEvents | None = None
        self._value: Any = None
        #: Updates in the value that was looked up; the watch tells of them again.
        self._known = 0
        self.requests = RequestList(flux)

    def start(self, lookups: LookupService) -> None:
        """Look the value up and begin to watch."""
        lookups.fetch(self._id, [self._key, "eventlog"], self._found)

    def add(self, req: Message) -> None:
        """Somebody watches; the first answer comes when the value is known.

        :raises OSError: EPERM, they may not
        """
        if self._value is not None:
            if not self._owners.allows(req, self._id):
                raise rpc_error(errno.EPERM)
            self._flux.respond(req, {self._key: self._value})
        self.requests.add(req)

    def _found(self, values: Values) -> None:
        try:
            ended = self._take(values)
        except OSError as exc:
            self._end(exc.errno or errno.EINVAL, exc.strerror)
            return
        except ValueError:
            self._end(errno.EINVAL, "lookup value cannot be parsed")
            return
        if ended:
            self._end(errno.ENODATA, None)
        elif self.requests:
            key = kvs_key(self._id, "eventlog")
            self._events = KvsEvents(self._flux, PRIMARY, key, 0, self._data, self._lost)
            self._events.start()
        else:
            self._done(self)

    def _take(self, values: Values) -> bool:
        """Take what was looked up; True if the job is over."""
        value, eventlog = values[self._key], values["eventlog"]
        if isinstance(eventlog, OSError):
            unknown = eventlog.errno == errno.ENOENT
            text = "invalid job id" if unknown else eventlog.strerror
            raise rpc_error(eventlog.errno or errno.EINVAL, text)
        for req in self.requests:
            self._admit(req, eventlog)
        if isinstance(value, OSError):
            missing = value.errno == errno.ENOENT
            text = "key not found" if missing else os.strerror(value.errno or errno.EINVAL)
            raise rpc_error(value.errno or errno.EINVAL, f"{self._key}: {text}")
        self._value = orjson.loads(value)
        events = decode_log(eventlog)
        for event in events:
            if event.name == self._name and event.context is not None:
                self._value = self._update(self._value, event.context)
                self._known += 1
        self.requests.respond({self._key: self._value})
        return any(event.name == "clean" for event in events)

    def _admit(self, req: Message, eventlog: bytes) -> None:
        try:
            self._owners.check(req, self._id, eventlog)
        except OSError as exc:
            self.requests.discard(req)
            self._flux.core.respond_exception(req, exc)

    def _data(self, data: bytes | None) -> None:
        for line in lines(data or b""):
            try:
                self._event(decode(line))
            except ValueError:
                self._end(errno.EINVAL, "error parsing eventlog")
                return
            if is_clean(line):
                self._end(errno.ENODATA, None)
                return

    def _event(self, event: Event) -> None:
        if event.name == self._name and event.context is not None:
            self._updated(event.context)

    def _updated(self, context: Any) -> None:
        if self._known:
            self._known -= 1
            return
        self._value = self._update(self._value, context)
        self.requests.respond({self._key: self._value})

    def _lost(self, error: OSError) -> None:
        self._end(error.errno or errno.EINVAL, error.strerror)

    def _end(self, errnum: int, text: str | None) -> None:
        self.stop()
        self.requests.end(errnum, text)
        self._done(self)

    def stop(self) -> None:
        """Watch no more."""
        if self._events is not None:
            self._events.stop()
