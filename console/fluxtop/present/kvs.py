"""The rows of the key-value store."""

from collections.abc import Mapping
from typing import Final

from fluxtop.cells import Cell, Span, cell
from fluxtop.columns import Column
from fluxtop.data.kvs import Entry
from fluxtop.data.kvs_model import KvsRow
from fluxtop.glyphs import Glyphs

COLUMNS: Final = (
    Column("key", "Key", 14, flex=1),
    Column("what", "What", 9, align="right", drop=1),
)


def present(row: KvsRow, glyphs: Glyphs) -> Mapping[str, Cell]:
    """The cells of a key."""
    return {"key": _key(row, glyphs), "what": cell(_what(row.entry), "dim")}


def _key(row: KvsRow, glyphs: Glyphs) -> Cell:
    entry = row.entry
    spans: list[Span] = [
        (glyphs.draw(row.branch[1:]) if len(row.branch) > 1 else "", "dim"),
        (f"{glyphs.fold(row.expanded)} ", "dim"),
        (entry.name, "strong" if entry.kind == "dir" else "plain"),
    ]
    if entry.kind == "link":
        spans.append((f" -> {entry.target}", "info"))
    if row.loading:
        spans.append((f" {glyphs.more}", "dim"))
    if row.trouble is not None:
        spans.append((f" {row.trouble}", "bad"))
    return tuple(spans)


def _what(entry: Entry) -> str:
    if entry.kind != "value":
        return entry.kind
    if entry.size is not None:
        return f"{entry.size} B"
    return "1 blob" if entry.blobs == 1 else f"{entry.blobs} blobs"
