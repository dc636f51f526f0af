"""The rows of the modules of a rank."""

from collections.abc import Callable, Mapping
from typing import Final

from fluxtop.cells import Cell, Role, cell
from fluxtop.columns import Column
from fluxtop.data.modules import ModuleRow
from fluxtop.data.rows import SortKey
from fluxtop.durations import age
from fluxtop.glyphs import Glyphs, role_of

COLUMNS: Final = (
    Column("name", "Module", 16, flex=2),
    Column("idle", "Idle", 7, align="right"),
    Column("letter", "S", 1),
    Column("state", "State", 12, drop=2),
    Column("sendq", "Sendq", 5, align="right", drop=3),
    Column("recvq", "Recvq", 5, align="right", drop=3),
    Column("services", "Service", 12, flex=3, drop=1),
)

#: The orders to go through: the column marked, its sort key, and whether the largest is first.
ORDERS: Final[tuple[tuple[str, Callable[[ModuleRow], SortKey], bool], ...]] = (
    ("name", lambda row: row.name, False),
    ("idle", lambda row: row.idle, False),
    ("recvq", lambda row: row.recvq + row.sendq, True),
)


def present(row: ModuleRow, elapsed: float, glyphs: Glyphs) -> Mapping[str, Cell]:
    """The cells of a module, ``elapsed`` seconds after the broker said how idle it is."""
    idle = row.idle + int(max(elapsed, 0.0))
    role = role_of(row.word)
    return {
        "name": cell(row.name, "strong"),
        "idle": cell(age(idle), "good" if idle < 2 else "plain" if idle < 60 else "dim"),
        "letter": cell(row.letter, role),
        "state": cell(f"{glyphs.state(row.word)} {row.word}", role),
        "sendq": cell(row.sendq, _queue(row.sendq)),
        "recvq": cell(row.recvq, _queue(row.recvq)),
        "services": cell(",".join(row.services), "info"),
    }


def _queue(length: int) -> Role:
    return "dim" if length == 0 else "plain" if length < 100 else "warn"
