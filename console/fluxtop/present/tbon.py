"""The rows of the tree of brokers."""

from collections.abc import Mapping
from typing import Final

from fluxtop.cells import Cell, Span, cell
from fluxtop.columns import Column
from fluxtop.data.tbon_model import TbonRow
from fluxtop.durations import duration
from fluxtop.glyphs import Glyphs, role_of

COLUMNS: Final = (
    Column("broker", "Broker", 14, flex=1),
    Column("status", "Status", 10),
    Column("for", "For", 7, align="right", drop=1),
)


def present(row: TbonRow, now: float, glyphs: Glyphs, chosen: int) -> Mapping[str, Cell]:
    """The cells of a broker or of a group; the one whose modules are shown is marked."""
    role = role_of(row.status)
    return {
        "broker": _broker(row, glyphs, chosen),
        "status": cell(f"{glyphs.state(row.status)} {row.status}", role),
        "for": cell("" if row.since is None else duration(now - row.since), "dim"),
    }


def _broker(row: TbonRow, glyphs: Glyphs, chosen: int) -> Cell:
    spans: list[Span] = [(glyphs.draw(row.branch), "dim")]
    if row.expanded is not None:
        spans.append((f"{glyphs.fold(row.expanded)} ", "dim"))
    elif row.branch:
        spans.append((" ", "dim"))
    group = len(row.ranks) > 1
    rank = row.ranks.encode(brackets=True) if group else str(row.rank)
    spans.append((rank, "key" if not group and row.rank == chosen else "strong"))
    if row.hosts:
        spans.append((f" {row.hosts}", "plain"))
    if row.below and not row.expanded:
        spans.append((f" +{row.below}", "dim"))
    if row.error:
        spans.append((f" {row.error}", "bad"))
    return tuple(spans)
