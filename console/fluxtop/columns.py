"""Columns, and how many of them fit into a width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

#: Cells between two columns.
GAP: Final = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``width`` is what it needs at least, ``flex`` its share of what is left over (0: it never
    grows), ``drop`` when it gives way in a narrow table: those with the highest go first and
    together, 0 never goes.
    """

    id: str
    title: str
    width: int
    flex: int = 0
    align: Literal["left", "right"] = "left"
    drop: int = 0


def fit(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit into ``width`` cells, each with the width it gets."""
    kept = list(columns)
    while _needed(kept) > width and any(column.drop for column in kept):
        last = max(column.drop for column in kept)
        kept = [column for column in kept if column.drop != last]
    spare = max(width - _needed(kept), 0)
    shares = sum(column.flex for column in kept)
    fitted = []
    for column in kept:
        extra = spare * column.flex // shares if shares else 0
        spare, shares = spare - extra, shares - column.flex
        fitted.append((column, column.width + extra))
    return fitted


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * max(len(columns) - 1, 0)
