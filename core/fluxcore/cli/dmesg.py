"""``flux dmesg``: the broker's log (CONTRACTS A32, A33)."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Final

from fluxcore.cli import ansi
from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.handle.logline import SEVERITIES, LogEntry, parse_line

_SEVERITY_COLORS: Final = {
    "emerg": ansi.REVERSE + ansi.RED,
    "alert": ansi.REVERSE + ansi.RED,
    "crit": ansi.BOLD + ansi.RED,
    "err": ansi.RED,
    "warning": ansi.BOLD,
    "debug": ansi.BLUE,
}
# strftime's %b is in the user's language.
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def dmesg(parsed: Parsed) -> None:
    """Print the log, or clear it, or both."""
    if parsed.args:
        raise CommandError("flux-dmesg accepts no free arguments")
    if "delta" in parsed and "human" not in parsed:
        raise CommandError("--delta can only be used with --human")
    times = HumanTimes(delta="delta" in parsed) if "human" in parsed else iso_time
    formatter = LogFormatter(times, color=parsed.color())
    with connect() as flux:
        if "clear" not in parsed:
            _print(flux, formatter, follow="follow" in parsed, new="new" in parsed)
        if "clear" in parsed or "read-clear" in parsed:
            _clear(flux)


def _print(flux: Flux, formatter: "LogFormatter", *, follow: bool, new: bool) -> None:
    try:
        for msg in flux.stream("log.dmesg", {"follow": follow, "nobacklog": new}):
            print(formatter.format(msg.data or b""), flush=follow)
    except OSError as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        raise CommandError(f"log.dmesg: {exc.strerror}") from None


def _clear(flux: Flux) -> None:
    try:
        flux.rpc("log.clear")
    except OSError as exc:
        raise CommandError(f"log.clear: {exc.strerror}") from None


# -- formatting -----------------------------------------------------------------------------

#: Gives a timestamp's text, and whether it begins a new minute.
TimeFunction = Callable[[str], tuple[str, bool]]


class LogFormatter:
    """Turns log lines as they travel into what is shown, without a newline."""

    def __init__(self, times: TimeFunction, *, color: bool = False) -> None:
        self._times = times
        self._color = color

    def format(self, line: bytes) -> str:
        """``TIME APP.SEVERITY[RANK]: TEXT``, or the line itself if it is of no known form."""
        entry = parse_line(line)
        if entry.timestamp == "-" and entry.app == "-":
            return entry.text
        when, new_minute = self._times(entry.timestamp)
        stamp = self._paint(ansi.BOLD + ansi.GREEN if new_minute else ansi.GREEN, when)
        return f"{stamp} {self._source(entry)}: {self._text(entry)}"

    def _source(self, entry: LogEntry) -> str:
        rank = entry.rank if entry.rank.isdigit() else "0"
        return self._paint(ansi.YELLOW, f"{entry.app}.{SEVERITIES[entry.severity]}[{rank}]")

    def _text(self, entry: LogEntry) -> str:
        return self._paint(_SEVERITY_COLORS.get(SEVERITIES[entry.severity], ""), entry.text)

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{ansi.RESET}" if self._color else text


def iso_time(timestamp: str, zone: tzinfo | None = None) -> tuple[str, bool]:
    """The timestamp in ``zone``, by default the local one: ISO 8601 with microseconds."""
    when = _parse(timestamp)
    if when is None:
        return timestamp, False
    local = when.astimezone(zone)
    if not local.utcoffset():
        return timestamp, False
    return local.isoformat(timespec="microseconds"), False


class HumanTimes:
    """Times for a reader: the minute when it begins, then seconds since its first line.

    With ``delta`` they are seconds since the line before.
    """

    def __init__(self, *, delta: bool = False, zone: tzinfo | None = None) -> None:
        self._delta = delta
        self._zone = zone
        self._since: datetime | None = None
        self._minute: datetime | None = None

    def __call__(self, timestamp: str) -> tuple[str, bool]:
        """The text for ``timestamp``, and whether it begins a minute."""
        when = _parse(timestamp)
        if when is None:
            return f"[{timestamp}]", False
        local = when.astimezone(self._zone)
        minute = local.replace(second=0, microsecond=0)
        if self._since is None or minute != self._minute:
            self._minute, self._since = minute, when
            return f"[{_MONTHS[local.month - 1]}{local:%d %H:%M}]", True
        seconds = (when - self._since).total_seconds()
        if self._delta:
            self._since = when
        return f"[{seconds:+11.6f}]", False


def _parse(timestamp: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


DMESG: Final = Command(
    "flux dmesg",
    "[OPTIONS...]",
    "Print the broker's log, or clear it",
    dmesg,
    [
        Option("clear", "C", doc="clear the log"),
        Option("read-clear", "c", doc="clear the log after printing it"),
        Option("follow", "f", doc="go on printing what is logged"),
        Option("new", "n", doc="leave out what has been logged already"),
        Option("human", "H", doc="show times for a human reader"),
        Option("delta", "d", doc="with --human, show the time since the line before"),
        Option(
            "color",
            "L",
            "WHEN",
            "use colours: always (without WHEN), never, or auto (the default: on a terminal)",
            optional=True,
            attached=True,
        ),
    ],
)
