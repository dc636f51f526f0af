"""Events as ``flux job eventlog`` prints them.

::

    1552593348.073045 submit userid=5588 urgency=16 flags=0 version=1

A value of the context is compact JSON, so a string keeps its quotes.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

import orjson

from fluxcore.job.eventlog import Event

#: How the time of an event may be shown; "reltime" is another name of "human".
TIME_FORMATS: Final = ("raw", "iso", "offset", "human", "reltime")

_RESET: Final = "\x1b[0m"
_TIME: Final = "\x1b[32m"
_NEW_MINUTE: Final = "\x1b[1m\x1b[32m"
_NAME: Final = "\x1b[33m"
_EXCEPTION: Final = "\x1b[1m\x1b[31m"
_KEY: Final = "\x1b[34m"
_VALUE: Final = "\x1b[35m"
_NUMBER: Final = "\x1b[37m"


class EventFormatter:
    """Turns the events of one log, in their order, into lines without a newline.

    ``times`` is one of :data:`TIME_FORMATS`: seconds since the epoch, ISO 8601, seconds since
    the first event, or the minute once and then seconds since its first event. ``zone`` is the
    time zone of "iso" and "human", by default the local one. ``color`` adds terminal colours;
    ``as_json`` gives the lines of the log itself instead.

    :raises ValueError: ``times`` is no format
    """

    def __init__(
        self,
        times: str = "raw",
        *,
        color: bool = False,
        as_json: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        if times not in TIME_FORMATS:
            raise ValueError(f"invalid time-format type '{times}'")
        self._times = times
        self._color = color
        self._json = as_json
        self._zone = zone
        self._first: float | None = None
        self._minute = ""
        self._minute_first = 0.0

    def format(self, event: Event) -> str:
        """The line for ``event``."""
        if self._json:
            return event.encode().decode().rstrip("\n")
        name = self._paint(_EXCEPTION if event.name == "exception" else _NAME, event.name)
        return f"{self._time(event.timestamp)} {name}{self._context(event.context)}"

    def _context(self, context: Mapping[str, object] | None) -> str:
        text = ""
        for key, value in (context or {}).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            shown = self._paint(_NUMBER if number else _VALUE, orjson.dumps(value).decode())
            text += f" {self._paint(_KEY, key)}={shown}"
        return text

    def _time(self, timestamp: float) -> str:
        match self._times:
            case "raw":
                return self._paint(_TIME, f"{timestamp:.6f}")
            case "offset":
                if self._first is None:
                    self._first = timestamp
                return self._paint(_TIME, f"{timestamp - self._first:.6f}")
            case "iso":
                return self._paint(_TIME, self._iso(timestamp))
        return self._human(timestamp)

    def _iso(self, timestamp: float) -> str:
        seconds = int(timestamp)
        micros = int((timestamp - seconds) * 1e6)
        when = self._local(seconds).replace(microsecond=micros)
        return when.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _human(self, timestamp: float) -> str:
        when = self._local(int(timestamp))
        minute = f"{when:%Y-%m-%dT%H:%M}"
        if minute == self._minute:
            return self._paint(_TIME, f"[{timestamp - self._minute_first:+11.6f}]")
        self._minute, self._minute_first = minute, timestamp
        month = _MONTHS[when.month - 1]
        return self._paint(_NEW_MINUTE, f"[{month}{when:%d %H:%M}]")

    def _local(self, seconds: int) -> datetime:
        return datetime.fromtimestamp(seconds, self._zone).astimezone(self._zone)

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_RESET}" if self._color else text


# strftime's %b is in the user's language.
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
