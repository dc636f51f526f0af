"""Watching the eventlogs of a job: job-info.eventlog-watch (CONTRACTS D11).

A log of the job itself is in the primary namespace. One of its guest is in the job's own namespace
while the job runs, and in the primary one after that; which it is, the job's eventlog says::

    checking -not started-> waiting -start-> live -namespace is gone-> kept
    checking -started-------------------------^
    checking -released------------------------------------------------^

What has been told of the live log is not told again of the kept one. A watch of the live log that
waits for what is not there yet would wait for ever if the namespace went away before the watch
began; such a watch therefore looks at the job's eventlog too, for the release that comes after.
"""

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.job.eventlog import decode, decode_log
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs.key import PRIMARY
from fluxcore.modules.job_info.access import Owners
from fluxcore.modules.job_info.kvs_events import (
    INITIAL_SENTINEL,
    WAITCREATE,
    KvsEvents,
    is_clean,
    lines,
)
from fluxcore.modules.job_info.lookup import LookupService, Values
from fluxcore.modules.job_info.progress import is_final_release, progress
from fluxcore.modules.job_info.turns import Turns
from fluxcore.wire.constants import ROLE_OWNER
from fluxcore.wire.message import Message

_EVENTLOG: Final = "eventlog"

#: Logs that every job has, but not from its first moment: records are gathered first.
_SOON: Final = ("exec.eventlog", "input", "output")

#: Type and severity of what a shell gives up for.
_FATAL: Final = ("exec", 0)

#: Seconds for which something has just happened to a job.
_JUST: Final = 1.0

#: Seconds in which a client that follows a job asks for the logs of its guest.
_YOUNG: Final = 0.2

State = Literal["checking", "waiting", "live", "kept"]

#: The way of a guest's log.
_NEXT: Final[Mapping[tuple[State, str], State]] = {
    ("checking", "not started"): "waiting",
    ("checking", "started"): "live",
    ("checking", "released"): "kept",
    ("waiting", "started"): "live",
    ("live", "gone"): "kept",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the log of job ``id`` at ``path``, with the flags of eventlog-watch."""

    req: Message
    id: int
    path: str
    flags: int


class Watch:
    """What a request to watch has led to. ``done`` is told when it has been answered for good."""

    def __init__(
        self, flux: Flux, wanted: Wanted, owners: Owners, done: Callable[[], None]
    ) -> None:
        self._flux = flux
        self.id, self.path = wanted.id, wanted.path
        self._req, self._flags = wanted.req, wanted.flags
        self._owners = owners
        self._done = done
        self._events: KvsEvents | None = None
        self._stopped = False
        self._sentinel_told = False

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True
        if self._events is not None:
            self._events.stop()

    def _fail(self, error: OSError) -> None:
        if not self._stopped:
            self.stop()
            self._flux.core.respond_exception(self._req, error)
            self._done()

    def _tell(self, line: bytes) -> None:
        self._flux.respond(self._req, {"event": line.decode(errors="replace")})

    def _tell_sentinel(self) -> None:
        if not self._sentinel_told:
            self._sentinel_told = True
            self._flux.respond(self._req)


class LogWatch(Watch):
    """A log of the job itself at ``path``; the main one ends with the event clean.

    The main log waits its turn with what comes after output (see :mod:`~.turns`).
    """

    def __init__(
        self, flux: Flux, wanted: Wanted, owners: Owners, done: Callable[[], None], turns: Turns
    ) -> None:
        super().__init__(flux, wanted, owners, done)
        self._turns = turns
        self._begun = flux.loop.time()
        #: What waits; None is the sentinel.
        self._held: list[bytes | None] | None = None

    def stop(self) -> None:
        """Answer no more."""
        super().stop()
        if self._held is not None:
            self._turns.forget(self._req, self.id, self._go_on)

    def _fail(self, error: OSError) -> None:
        if self._held is not None:
            self._turns.forget(self._req, self.id, self._go_on)
            self._go_on()
        super()._fail(error)

    def start(self, lookups: LookupService) -> None:
        """Begin; whose job it is may have to be found out first."""
        req = self._req
        self._allowed = bool(req.rolemask & ROLE_OWNER) or bool(self._owners.allows(req, self.id))
        if self._allowed or self.path == _EVENTLOG:
            self._watch()
        else:
            lookups.fetch(self.id, [_EVENTLOG], self._checked)

    def _checked(self, values: Values) -> None:
        if self._stopped:
            return
        try:
            self._check(values[_EVENTLOG])
        except OSError as exc:
            self._fail(rpc_error(exc.errno or errno.EINVAL))
        else:
            self._watch()

    def _check(self, eventlog: bytes | OSError) -> None:
        if isinstance(eventlog, OSError):
            raise eventlog
        self._owners.check(self._req, self.id, eventlog)
        self._allowed = True

    def _watch(self) -> None:
        key = kvs_key(self.id, self.path)
        self._events = KvsEvents(self._flux, PRIMARY, key, self._flags, self._data, self._fail)
        self._events.start()

    def _data(self, data: bytes | None) -> None:
        if data is not None and not self._allowed:
            try:
                self._check(data)
            except OSError as exc:
                self._fail(rpc_error(exc.errno or errno.EINVAL))
                return
        self._take([None] if data is None else list(lines(data)))

    def _take(self, parts: list[bytes | None]) -> None:
        """Tell what has come, lines and the sentinel, or hold it back."""
        if self._held is not None:
            self._held += parts
            return
        for at, line in enumerate(parts):
            if self._may_want_output and _comes_after_output(line):
                self._held = parts[at:]
                self._turns.wait(self._req, self.id, self._go_on)
                return
            self._tell_part(line)

    @property
    def _may_want_output(self) -> bool:
        """True if the client follows a log of the guest, or has had no time to ask for one."""
        if self.path != _EVENTLOG:
            return False
        young = self._flux.loop.time() - self._begun < _YOUNG
        return young or self._turns.follows(self._req, self.id)

    def _go_on(self) -> None:
        held, self._held = self._held, None
        for line in held or ():
            self._tell_part(line)

    def _tell_part(self, line: bytes | None) -> None:
        if self._stopped:
            return
        if line is None:
            self._tell_sentinel()
            return
        self._tell(line)
        if self.path == _EVENTLOG and is_clean(line):
            if self._flags & INITIAL_SENTINEL:
                self._tell_sentinel()
            self._fail(rpc_error(errno.ENODATA))


class GuestWatch(Watch):
    """A log of the guest at ``path``, without the leading ``guest.``."""

    def __init__(
        self, flux: Flux, wanted: Wanted, owners: Owners, done: Callable[[], None]
    ) -> None:
        super().__init__(flux, wanted, owners, done)
        self._state: State = "checking"
        #: Watches the job's eventlog beside the live log.
        self._release: KvsEvents | None = None
        #: Bytes of the log that have been told, and that have been read again of the kept one.
        self._told = 0
        self._read_again = 0

    def start(self, lookups: LookupService) -> None:
        """Begin by looking how far the job is."""
        lookups.fetch(self.id, [_EVENTLOG], self._checked)

    def _checked(self, values: Values) -> None:
        if self._stopped:
            return
        eventlog = values[_EVENTLOG]
        try:
            if isinstance(eventlog, OSError):
                raise eventlog
            self._owners.check(self._req, self.id, eventlog)
            event = progress(decode_log(eventlog))
        except OSError as exc:
            self._fail(rpc_error(exc.errno or errno.EINVAL))
        except ValueError:
            self._fail(rpc_error(errno.EINVAL))
        else:
            self._advance(event)

    def stop(self) -> None:
        """Answer no more."""
        super().stop()
        if self._release is not None:
            self._release.stop()

    def _advance(self, event: str) -> None:
        self._state = _NEXT[self._state, event]
        for events in (self._events, self._release):
            if events is not None:
                events.stop()
        if self._state == "waiting":
            key = kvs_key(self.id, _EVENTLOG)
            self._watch(PRIMARY, key, 0, self._waited)
        elif self._state == "live":
            flags = self._flags | (WAITCREATE if self.path in _SOON else 0)
            self._watch(f"job-{self.id}", self.path, flags, self._live_data)
            if flags & WAITCREATE and self._state == "live":
                self._watch_release()
        else:
            key = kvs_key(self.id, f"guest.{self.path}")
            flags = self._flags & ~WAITCREATE
            self._watch(PRIMARY, key, flags, self._kept_data, live=False)

    def _watch(
        self,
        namespace: str,
        key: str,
        flags: int,
        on_data: Callable[[bytes | None], None],
        *,
        live: bool = True,
    ) -> None:
        self._events = KvsEvents(self._flux, namespace, key, flags, on_data, self._ended, live=live)
        self._events.start()

    def _watch_release(self) -> None:
        key = kvs_key(self.id, _EVENTLOG)
        self._release = KvsEvents(self._flux, PRIMARY, key, 0, self._release_data, self._fail)
        self._release.start()

    def _release_data(self, data: bytes | None) -> None:
        if self._state == "live" and any(map(_is_final, lines(data or b""))):
            self._advance("gone")

    def _ended(self, error: OSError) -> None:
        if self._state == "live" and error.errno == errno.ENOTSUP:
            self._advance("gone")
            return
        if self._flags & INITIAL_SENTINEL and error.errno == errno.ENODATA:
            self._tell_sentinel()  # all that is kept has been read
        self._fail(error)

    def _waited(self, data: bytes | None) -> None:
        """Events of the job before it has started."""
        for line in lines(data or b""):
            if _name(line) == "start":
                self._advance("started")
                return
            if is_clean(line):
                self._fail(rpc_error(errno.ENODATA))
                return

    def _live_data(self, data: bytes | None) -> None:
        if data is None:
            self._tell_sentinel()
            return
        for line in lines(data):
            self._told += len(line)
            self._tell(line)

    def _kept_data(self, data: bytes | None) -> None:
        for line in lines(data or b""):
            self._read_again += len(line)
            if self._read_again > self._told:
                self._tell(line)


def _is_final(line: bytes) -> bool:
    """True if an event says that a job has given up all it had."""
    if b'"release"' not in line:
        return False
    try:
        return is_final_release(decode(line))
    except ValueError:
        return False


def _comes_after_output(line: bytes | None) -> bool:
    """True for an event so young that whoever follows the job may not have its output.

    The execution has come to an end, or cannot go on for what the shell has just complained of.
    """
    if line is None or not (b'"finish"' in line or b'"exec"' in line):
        return False
    try:
        event = decode(line)
    except ValueError:
        return False
    context = event.context or {}
    failed = event.name == "exception" and (context.get("type"), context.get("severity")) == _FATAL
    return (failed or event.name == "finish") and time.time() - event.timestamp < _JUST


def _name(line: bytes) -> str:
    try:
        return str(orjson.loads(line)["name"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
