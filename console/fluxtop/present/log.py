"""The lines of the log."""

from collections.abc import Mapping
from typing import Final

from fluxcore.handle.logline import SEVERITIES
from fluxtop.cells import Cell, Role, cell
from fluxtop.columns import Column
from fluxtop.data.log import LogRow

COLUMNS: Final = (
    Column("time", "Time", 8, drop=2),
    Column("rank", "Rank", 4, align="right", drop=1),
    Column("level", "Level", 7),
    Column("app", "Module", 14, drop=3),
    Column("text", "Message", 20, flex=1),
)

_ROLES: Final[tuple[Role, ...]] = (
    "bad",
    "bad",
    "bad",
    "bad",
    "warn",
    "good",
    "info",
    "dim",
)


def present(row: LogRow) -> Mapping[str, Cell]:
    """The cells of a log line."""
    entry = row.entry
    role = _ROLES[entry.severity]
    return {
        "time": cell(time_of_day(entry.timestamp), "dim"),
        "rank": cell(entry.rank, "dim"),
        "level": cell(SEVERITIES[entry.severity], role),
        "app": cell(entry.app, "key"),
        "text": cell(entry.text, role if role in ("bad", "warn") else "plain"),
    }


def time_of_day(timestamp: str) -> str:
    """The seconds of an ISO timestamp's day, as it is written: ``10:56:01``."""
    return timestamp[11:19] if len(timestamp) >= 19 else timestamp
