"""How a value is written in a table: Python's format language with a few additions.

Conversions: ``!d`` a time by strftime codes (``{t_run!d:%H:%M::>8}``, alignment behind ``::``),
``!D`` a time in ISO 8601, ``!F`` a duration (RFC 23), ``!H`` hours, minutes and seconds, ``!P`` a
percentage. At the end of a specification ``h`` shows what is empty or zero as "-", and ``+``
marks what was cut off.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

#: What ``h`` shows as "-", and what a column may hold to be left out as empty.
EMPTY: Final = ("", "0s", "0.0", "0:00:00", "1970-01-01T00:00:00")

_DAY: Final = 86400.0


def format_value(value: Any, conversion: str, spec: str) -> str:
    """``value`` after its conversion, as ``spec`` says.

    :raises ValueError: there is no such conversion, or the specification does not fit the value
    """
    if conversion == "d":
        return _format_time(value, spec)
    return format_field(convert(value, conversion), spec)


def convert(value: Any, conversion: str) -> Any:
    """``value`` after a conversion other than ``d``.

    :raises ValueError: there is no such conversion
    """
    if not conversion:
        return value
    if conversion not in _CONVERSIONS:
        raise ValueError(f"Unknown conversion specifier {conversion}")
    return _CONVERSIONS[conversion](value)


def format_field(value: Any, spec: str) -> str:
    """``value`` as a specification says, ``h`` and ``+`` included."""
    marked = spec.endswith("+")
    spec = spec.removesuffix("+")
    if spec.endswith("h"):
        value = "-" if str(value) in EMPTY else str(value)
        spec = spec[:-1] + "s"
    text = format(value, spec)
    if marked and len(text) < len(str(value)):
        text = text[:-1] + "+"
    return text


def short_duration(seconds: float) -> str:
    """A duration of at most four digits: ``0.035s``, ``12.5s``, ``1.5h``."""
    if math.isinf(seconds):
        return "inf"
    if seconds < 1e-3:
        return "0s"
    if seconds < 10.0:
        return f"{seconds:.3f}s"
    for limit, unit, size in ((60.0, "s", 1.0), (3600.0, "m", 60.0), (_DAY, "h", 3600.0)):
        if seconds < limit:
            return f"{seconds / size:.4g}{unit}"
    return f"{seconds / _DAY:.4g}d"


def _format_time(value: Any, spec: str) -> str:
    codes, _, rest = spec.partition("::")
    text = time.strftime(codes or "%Y-%m-%dT%H:%M:%S", time.localtime(value)) if value else ""
    return format_field(text, rest)


def _iso_time(value: Any) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(value)) if value else ""


def _duration(value: Any) -> str:
    return short_duration(value) if value != "" else ""


def _clock(value: Any) -> str:
    if value == "":
        return ""
    # What has taken any time at all must not show as none.
    seconds = 1 if 0 < value < 1 else round(value)
    days, rest = divmod(seconds, int(_DAY))
    clock = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} day{'s' if days != 1 else ''}, {clock}" if days else clock


def _percent(value: Any) -> str:
    if value == "":
        return ""
    percent = value * 100
    return f"{percent:.2f}%" if 0 < percent < 1 else f"{percent:.3g}%"


_CONVERSIONS: Final[Mapping[str, Callable[[Any], str]]] = {
    "D": _iso_time,
    "F": _duration,
    "H": _clock,
    "P": _percent,
    "s": str,
    "r": repr,
    "a": ascii,
}
