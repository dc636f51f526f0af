"""``flux job wait-event`` (CONTRACTS D11, D18)."""

import errno
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.eventlog import (
    FORMAT_OPTIONS,
    PATH_OPTION,
    event_formatter,
    log_path,
    not_found,
    time_format,
)
from fluxcore.cli.job.ids import parse_id
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.job.eventlog import Event, decode
from fluxcore.wire.constants import STREAMING
from fluxcore.wire.payload import need_str

#: Flag of job-info.eventlog-watch: wait for the log to be made.
_WAITCREATE: Final = 1


def wait_event(parsed: Parsed) -> None:
    """Wait for an event of a job and print it."""
    if len(parsed.args) != 2:
        raise UsageError
    text, name = parsed.args
    waiter = _Waiter(
        parsed,
        name,
        parse_context(parsed.text("match-context")),
        parsed.integer("count", 1),
        verbose="verbose" in parsed,
        quiet="quiet" in parsed,
    )
    timeout = parsed.duration("timeout", 0.0)
    with connect() as flux:
        waiter.run(flux, text, timeout, wait_create="waitcreate" in parsed)


def follow(parsed: Parsed) -> None:
    """Print a job's events as they come, until it is inactive."""
    waiter = _Waiter(parsed, "clean", None, 1, verbose=True, quiet=False)
    with connect() as flux:
        waiter.run(flux, parsed.args[0], 0.0, wait_create=True)


def parse_context(text: str | None) -> tuple[str, str] | None:
    """The key and value to look for in an event's context.

    :raises CommandError: it is not key=value
    """
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError("must specify a context test as key=value")
    return key, value


def matches(event: Event, name: str, wanted: tuple[str, str] | None) -> bool:
    """Whether it is the event ``name`` with ``wanted`` in its context, as text or JSON."""
    if event.name != name:
        return False
    if wanted is None:
        return True
    context: Mapping[str, Any] = event.context or {}
    key, text = wanted
    if key not in context:
        return False
    value = context[key]
    return value == text or json.dumps(value, separators=(",", ":"), ensure_ascii=False) == text


class _Waiter:
    """Prints a log's events up to the one that is waited for."""

    def __init__(
        self,
        parsed: Parsed,
        name: str,
        context: tuple[str, str] | None,
        count: int,
        *,
        verbose: bool,
        quiet: bool,
    ) -> None:
        if count <= 0:
            raise CommandError("count must be > 0")
        self._path = log_path(parsed)
        self._formatter = event_formatter(parsed)
        self._offsets = time_format(parsed) == "offset"
        self._name = name
        self._context = context
        self._left = count
        self._verbose = verbose
        self._quiet = quiet

    def run(self, flux: Flux, text: str, timeout: float, *, wait_create: bool) -> None:
        """Wait at most ``timeout`` seconds, 0 for ever."""
        payload = {
            "id": parse_id(text),
            "path": self._path,
            "flags": _WAITCREATE if wait_create else 0,
        }
        deadline = time.monotonic() + timeout
        pending = flux.start("job-info.eventlog-watch", payload, flags=STREAMING)
        while True:
            left = max(deadline - time.monotonic(), 1e-6) if timeout else 0.0
            try:
                answer = pending.get(left).json
            except OSError as exc:
                raise self._explained(exc, text) from None
            if self._take(decode(need_str(answer, "event"))):
                pending.cancel("job-info.eventlog-watch-cancel")
                return

    def _take(self, event: Event) -> bool:
        """Print the event if it is to be seen; True if it is the last one."""
        found = matches(event, self._name, self._context)
        self._left -= found
        last = found and not self._left
        shown = not self._quiet if last else self._verbose
        if shown:
            print(self._formatter.format(event), flush=True)
        elif self._offsets:
            # Offsets are from the first event, seen or not.
            self._formatter.format(event)
        return last

    def _explained(self, exc: OSError, text: str) -> CommandError:
        if isinstance(exc, FileNotFoundError):
            return not_found(text, self._path)
        if isinstance(exc, TimeoutError):
            return CommandError(f"wait-event timeout on event '{self._name}'")
        if exc.errno == errno.ENODATA:
            return CommandError(f"event '{self._name}' never received")
        return CommandError(f"flux_job_event_watch_get: {plain_text(exc)}")


WAIT_EVENT: Final = Command(
    "flux-job wait-event",
    "[OPTIONS] id event",
    "Wait for an event of a job and print it",
    wait_event,
    [
        *FORMAT_OPTIONS,
        Option("timeout", "t", "FSD", "give up after this time"),
        Option("match-context", "m", "KEY=VAL", "only an event with this in its context"),
        Option("count", "c", "COUNT", "wait for the event's COUNTth occurrence"),
        Option("quiet", "q", doc="do not print the event"),
        Option("verbose", "v", doc="print the events before it too"),
        PATH_OPTION,
        Option("waitcreate", "W", doc="if the log is not there, wait for it"),
    ],
)
