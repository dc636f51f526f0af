"""A log entry as it travels: nearly RFC 5424 (CONTRACTS A32).

The priority is severity<<3 | facility, the reverse of RFC 5424; flux-core does so, and its
commands read it so.
"""

import os
import time
from typing import Final, NamedTuple

LOG_EMERG: Final = 0
LOG_ALERT: Final = 1
LOG_CRIT: Final = 2
LOG_ERR: Final = 3
LOG_WARNING: Final = 4
LOG_NOTICE: Final = 5
LOG_INFO: Final = 6
LOG_DEBUG: Final = 7

#: RFC 5424 allows three; a number of thousands of digits would cost its conversion.
_PRI_DIGITS: Final = 3

SEVERITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class LogEntry(NamedTuple):
    """One log line, taken apart. ``timestamp`` is text, as it came."""

    severity: int
    timestamp: str
    rank: str
    app: str
    text: str


def format_timestamp(now: float) -> str:
    """``now`` (seconds since 1970) in UTC with microseconds."""
    whole, micro = divmod(round(now * 1e6), 1_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{stamp}.{micro:06d}Z"


def format_line(
    severity: int, text: str, *, now: float, rank: str, app: str, pid: int | None = None
) -> bytes:
    """The line for the log service; a trailing newline of ``text`` is dropped."""
    pid = os.getpid() if pid is None else pid
    head = f"<{severity << 3}>1 {format_timestamp(now)} {rank} {app or '-'} {pid} - - "
    return (head + text.rstrip("\n")).encode(errors="replace")


def parse_line(line: bytes) -> LogEntry:
    """The entry in ``line``; what is no log line becomes an entry of its whole text."""
    decoded = line.rstrip(b"\0\n").decode(errors="replace")
    fields = decoded.split(" ", 7)
    if len(fields) == 8 and fields[0].startswith("<") and ">" in fields[0]:
        pri = fields[0][1 : fields[0].index(">")]
        if pri.isascii() and pri.isdigit() and len(pri) <= _PRI_DIGITS:
            return LogEntry((int(pri) >> 3) & 7, fields[1], fields[2], fields[3], fields[7])
    return LogEntry(LOG_INFO, "-", "-", "-", decoded)
