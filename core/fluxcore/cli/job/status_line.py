"""The line that shows, while a job is waiting, for what."""

import os
import sys
import time
from typing import Final

from fluxcore.job.eventlog import Event

_MESSAGES: Final = {
    "submit": "submitted",
    "validate": "resolving dependencies",
    "depend": "waiting for priority assignment",
    "priority": "waiting for resources",
    "alloc": "starting",
    "start": "started",
}
#: Seconds before the line is shown unasked, and between its updates.
_DELAY: Final = 2.0
_INTERVAL: Final = 1.0
_CLOCK_WIDTH: Final = 10
#: The width of what is no terminal, or of one that does not know its own.
_COLUMNS: Final = 80
_PROGRAM_WIDTH: Final = 10


class StatusLine:
    """Follows a job's events and says what it waits for."""

    def __init__(self, jobid: str) -> None:
        self._jobid = jobid
        self._message = ""
        self._prologs = 0

    def event(self, event: Event) -> None:
        """Take an event of the job."""
        if event.name == "prolog-start":
            self._prologs += 1
        elif event.name == "prolog-finish":
            self._prologs -= 1
        elif event.name == "exception":
            if (event.context or {}).get("severity") == 0:
                self._message = "canceling due to exception"
            return
        else:
            self._message = _MESSAGES.get(event.name, self._message)
            return
        self._message = "waiting for prolog" if self._prologs > 0 else "starting"

    def text(self, seconds: float, columns: int) -> str:
        """The line, ``seconds`` after submission, in ``columns``; the cursor ends at its start."""
        if not self._message:
            return ""
        width = columns - _PROGRAM_WIDTH - len(self._jobid) - _CLOCK_WIDTH
        whole = int(seconds)
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        return f"\rflux-job: {self._jobid} {self._message:<{max(width, 0)}} {clock}\r"


class StatusDisplay:
    """Shows the line on a terminal where somebody waits: after a while, or ``at_once``.

    Environment FLUX_ATTACH_NONINTERACTIVE says that nobody does.
    """

    def __init__(self, jobid: str, *, at_once: bool, allowed: bool) -> None:
        streams = (sys.stdin, sys.stdout, sys.stderr)
        interactive = allowed and all(s is not None and s.isatty() for s in streams)
        wanted = (at_once or interactive) and "FLUX_ATTACH_NONINTERACTIVE" not in os.environ
        self._line = StatusLine(jobid) if wanted else None
        self._next = time.monotonic() + (0.0 if at_once else _DELAY)
        self._shown = False

    @property
    def seconds(self) -> float | None:
        """How long until the line is due; None for never."""
        return None if self._line is None else max(self._next - time.monotonic(), 0.0)

    def event(self, event: Event) -> None:
        """Take an event of the job."""
        if self._line is None:
            return
        self._line.event(event)
        if event.name in ("start", "clean"):
            if self._shown:
                sys.stderr.write("\n")
            self._line, self._shown = None, False

    def show(self, start: float | None) -> None:
        """Show the line if it is due."""
        if self._line is None or self.seconds != 0.0:
            return
        self._next += _INTERVAL
        columns = os.get_terminal_size(2).columns if sys.stderr.isatty() else 0
        columns = columns or _COLUMNS
        sys.stderr.write(self._line.text(time.time() - (start or time.time()), columns))
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        """Make room for other text."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
