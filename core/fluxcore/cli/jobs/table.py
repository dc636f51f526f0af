"""Tables by a format string: ``{id.f58:>12} ?:{queue:<8.8} {name:<10.10+}``.

``?:`` before a field leaves its column out if it is empty in every row, ``+:`` makes it as wide
as its widest value, ``?+:`` does both. ``sort:KEY,-KEY`` at the front orders the rows.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from string import Formatter
from typing import Any, Final, NamedTuple, TypeVar

from fluxcore.cli.jobs.values import EMPTY, format_value

_Row = TypeVar("_Row")
#: Gives a row's value of a field.
Getter = Callable[[Any, str], Any]

_MARKS: Final = ("?+:", "?:", "+:")
_SORT: Final = re.compile(r"sort:([^{\s]+) ?")
_SPEC: Final = re.compile(
    r"(?P<head>(?:.?(?P<align>[<>=^]))?[- +]?z?#?0?)(?P<width>\d+)?"
    r"(?P<group>[_,]?)(?:\.(?P<precision>\d+))?(?P<type>[bcdeEfFgGnosxX%]?)(?P<end>h?\+?)",
    re.DOTALL,
)


class Column(NamedTuple):
    """Literal text, and the field behind it ("" for none) with its conversion and spec."""

    text: str
    field: str = ""
    conversion: str = ""
    spec: str = ""

    @property
    def mark(self) -> str:
        """``?:``, ``+:``, ``?+:`` or nothing."""
        return next((mark for mark in _MARKS if self.field and self.text.endswith(mark)), "")


class Table:
    """A parsed format.

    :raises ValueError: it is malformed, or ``heading`` knows no such field
    """

    def __init__(self, text: str, heading: Callable[[str], str], getter: Getter) -> None:
        """Parse ``text``; ``heading`` gives a field's heading, ``getter`` its value in a row."""
        self._heading = heading
        self._getter = getter
        self.sort_keys: list[tuple[str, bool]] = []
        found = _SORT.match(text)
        if found is not None:
            self.sort_by(found[1])
            text = text[found.end() :]
        self.columns = [
            Column(literal, field or "", conversion or "", spec or "")
            for literal, field, spec, conversion in Formatter().parse(text)
        ]
        for column in self.columns:
            if column.field:
                heading(column.field)

    @property
    def fields(self) -> list[str]:
        """The fields that are shown or sorted by."""
        shown = [column.field for column in self.columns if column.field]
        return [*shown, *(key for key, _ in self.sort_keys)]

    def sort_by(self, keys: str) -> None:
        """Order rows by comma separated fields; one behind a minus from greatest to least.

        :raises ValueError: there is no such field
        """
        self.sort_keys = []
        for text in filter(None, (key.strip() for key in keys.split(","))):
            key = text.removeprefix("-")
            try:
                self._heading(key)
            except ValueError:
                raise ValueError(f"Invalid sort key: {key}") from None
            self.sort_keys.append((key, text != key))

    # -- rows ------------------------------------------------------------------------------

    def fit(self, rows: Sequence[Any], *, header: bool) -> None:
        """Do what the marks of columns ask for, given the rows that will be shown."""
        fitted: list[Column] = []
        for column in self.columns:
            mark = column.mark
            if mark:
                widths = [self._width(column, row) for row in rows]
                widest = max(widths, default=0)
                if "?" in mark and not widest:
                    continue
                if "+" in mark:
                    heading = len(self._heading(column.field)) if header else 0
                    column = column._replace(spec=widened(column.spec, max(widest, heading)))
            text = column.text
            for each in _MARKS:
                text = text.replace(each, "")
            fitted.append(column._replace(text=text))
        self.columns = fitted

    def _width(self, column: Column, row: Any) -> int:
        text = format_value(self._getter(row, column.field), column.conversion, "")
        return 0 if text in EMPTY else len(text)

    def sort(self, rows: Iterable[_Row]) -> list[_Row]:
        """The rows in the order that the sort keys ask for."""
        ordered = list(rows)
        for key, reverse in reversed(self.sort_keys):
            ordered.sort(key=lambda row: sort_value(self._getter(row, key)), reverse=reverse)
        return ordered

    # -- lines -----------------------------------------------------------------------------

    def header(self) -> str:
        """The line of headings."""
        return "".join([column.text + self._header_field(column) for column in self.columns])

    def _header_field(self, column: Column) -> str:
        if not column.field:
            return ""
        spec = _SPEC.fullmatch(_alignment(column.spec))
        align, width = (spec["align"] or "", spec["width"] or "") if spec else ("", "")
        return format(self._heading(column.field), align + width)

    def line(self, row: Any) -> str:
        """The line of a row.

        :raises ValueError: a specification does not fit its value
        """
        return "".join([column.text + self._row_field(column, row) for column in self.columns])

    def _row_field(self, column: Column, row: Any) -> str:
        if not column.field:
            return ""
        return format_value(self._getter(row, column.field), column.conversion, column.spec)


def _alignment(spec: str) -> str:
    """The part of a specification that aligns; that of a time is behind two colons."""
    return spec.partition("::")[2] if "::" in spec else spec


def widened(spec: str, width: int) -> str:
    """``spec`` for a column at least ``width`` wide; a text's precision grows with it."""
    found = _SPEC.fullmatch(spec)
    if found is None:
        return spec
    width = max(width, int(found["width"] or 0))
    precision = found["precision"]
    if precision and found["type"] in ("", "s") and int(precision) < width:
        precision = str(width)
    dot = f".{precision}" if precision else ""
    return f"{found['head']}{width}{found['group']}{dot}{found['type']}{found['end']}"


def sort_value(value: Any) -> tuple[int, float, str]:
    """The order of values of any kind: what is not set, then numbers, then other text."""
    if value in (None, "", "-"):
        return 0, 0.0, ""
    try:
        return 1, float(value if isinstance(value, int | float) else str(value)), ""
    except ValueError:
        return 2, 0.0, str(value)


def cut(line: str, width: int) -> str:
    """``line`` in ``width`` columns, with a mark if there is more; all of it if that is 0."""
    return line[: width - 1] + "+" if 0 < width < len(line) else line
