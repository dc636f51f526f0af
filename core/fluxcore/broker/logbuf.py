"""The broker's log: a ring of lines; what goes to stderr, to a file and up (CONTRACTS A32)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fluxcore.handle.logline import (
    LOG_CRIT,
    LOG_DEBUG,
    LOG_ERR,
    SEVERITIES,
    LogEntry,
    parse_line,
)

#: Lines that are no log lines count as this; see :func:`~fluxcore.handle.logline.parse_line`.
StderrMode = Literal["leader", "local"]
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


@dataclass(slots=True)
class LogLevels:
    """The log attributes. A level of -1 matches nothing."""

    level: int = LOG_DEBUG
    stderr_level: int = LOG_ERR
    forward_level: int = LOG_ERR
    critical_level: int = LOG_CRIT
    ring_size: int = 1024
    stderr_mode: StderrMode = "leader"
    #: Of this level and more severe, lines go to the system's log too; -1 for none.
    syslog_level: int = -1


class LogBuffer:
    """Decides what becomes of a line.

    Each rank keeps its own lines in its ring. Lines of ranks above 0 that are severe enough go
    up too, where rank 0 shows them on stderr (mode ``leader``) but does not keep them.

    :param show: writes one line of text to stderr
    :param forward: sends a line to the parent
    :param record: writes one line of text to the log file: whatever reaches rank 0
    :param syslog: writes one line of text, of a severity, to the system's log
    """

    def __init__(
        self,
        rank: int,
        levels: LogLevels,
        show: Callable[[str], None],
        forward: Callable[[bytes], None],
        record: Callable[[str], None] | None = None,
        syslog: Callable[[int, str], None] | None = None,
    ) -> None:
        self.rank = rank
        self.levels = levels
        self._show = show
        self._forward = forward
        self._record = record
        self._syslog = syslog
        self.ring: deque[bytes] = deque(maxlen=max(levels.ring_size, 0))
        self.count = 0
        self.local = 0
        self.remote = 0

    def append(self, line: bytes) -> bool:
        """Take a line; True if it was kept in the ring."""
        entry = parse_line(line)
        levels = self.levels
        kept = shown = False
        if entry.rank == str(self.rank):
            self.local += 1
            if entry.severity <= levels.level and levels.ring_size > 0:
                self.ring.append(line)
                self.count += 1
                kept = True
            local_mode = levels.stderr_mode == "local"
            if entry.severity <= levels.critical_level or (
                local_mode and entry.severity <= levels.stderr_level
            ):
                self._show(systemd_line(entry) if local_mode else stderr_line(entry))
                shown = True
        else:
            self.remote += 1
        if self._record is not None:
            self._record(stderr_line(entry))
        if self.rank > 0:
            if entry.severity <= levels.forward_level:
                self._forward(line)
        elif not shown and levels.stderr_mode == "leader" and entry.severity <= levels.stderr_level:
            self._show(stderr_line(entry))
        if self._syslog is not None and entry.severity <= levels.syslog_level:
            self._syslog(entry.severity, _body(entry))
        return kept

    def clear(self) -> None:
        """Empty the ring."""
        self.ring.clear()

    def stats(self) -> dict[str, int]:
        """What log.stats-get answers."""
        return {
            "ring-used": len(self.ring),
            "count": self.count,
            "local": self.local,
            "remote": self.remote,
        }


def systemd_line(entry: LogEntry) -> str:
    """A line for a stderr that systemd reads: its level in front, no time."""
    return f"<{entry.severity}>{_body(entry)}"


def stderr_line(entry: LogEntry) -> str:
    """A line for a stderr that people read."""
    return f"{_long_time(entry.timestamp)} {_body(entry)}"


def _body(entry: LogEntry) -> str:
    return f"{entry.app}.{SEVERITIES[entry.severity]}[{entry.rank}]: {entry.text}"


def _long_time(timestamp: str) -> str:
    """``Nov 22 07:31:21.140613 UTC 2026`` for a log line's timestamp, which else is left alone."""
    date, _, clock = timestamp.rstrip("Z").partition("T")
    parts = date.split("-")
    if (
        len(parts) != 3
        or not (parts[1].isascii() and parts[1].isdigit())
        or not 1 <= int(parts[1]) <= 12
    ):
        return timestamp
    return f"{_MONTHS[int(parts[1]) - 1]} {parts[2]} {clock} UTC {parts[0]}"
