"""Durations (RFC 23, Flux Standard Duration): ``1.5h``, ``30s``, ``infinity``.

A number and a unit; without a unit it is seconds.
"""

import math
import re
from typing import Final

#: Seconds in each unit.
UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_FSD: Final = re.compile(r"(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)(ms|s|m|h|d|)")
_INFINITE: Final = ("inf", "infinity")


def parse_fsd(text: str) -> float:
    """The seconds that ``text`` stands for; ``math.inf`` for "inf" and "infinity".

    :raises ValueError: it is no duration
    """
    if text.lower() in _INFINITE:
        return math.inf
    found = _FSD.fullmatch(text) if text.isascii() else None
    if found is None:
        raise ValueError("invalid Flux standard duration")
    return float(found[1]) * UNITS[found[2]]


def format_fsd(seconds: float, precision: int = 6) -> str:
    """``seconds`` in the unit that suits its size, with ``precision`` significant digits.

    Below a tenth of a second that is milliseconds, from a minute on minutes, and so on:
    ``0``, ``62.1ms``, ``1.5h``.

    :raises ValueError: it is negative or no number
    """
    if math.isnan(seconds) or seconds < 0:
        raise ValueError("a duration must not be negative")
    if math.isinf(seconds):
        return "infinity"
    unit = _unit_for(seconds)
    return f"{seconds / UNITS[unit]:.{precision}g}{unit}"


def _unit_for(seconds: float) -> str:
    if 0 < seconds < 0.1:
        return "ms"
    for limit, unit in ((60.0, "s"), (3600.0, "m"), (86400.0, "h")):
        if seconds < limit:
            return unit
    return "d"
