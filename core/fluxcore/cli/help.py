"""What ``--help`` prints."""

import os
from collections.abc import Iterable, Sequence
from typing import Final

from fluxcore.cli.options import Option

#: Where the texts of options begin.
COLUMN: Final = 25


def format_options(table: Sequence[Option], *, columns: int = 80, column: int = COLUMN) -> str:
    """The table: a line an option, or more where its text needs them."""
    lines: list[str] = []
    for option in table:
        head = f"  {_head(option)}"
        texts = _wrap(option.doc, columns - column)
        if len(head) >= column:
            lines.append(head)
        else:
            lines.append(f"{head:<{column}}{texts.pop(0) if texts else ''}".rstrip())
        lines += [" " * column + text for text in texts]
    return "".join([line + "\n" for line in lines])


def _head(option: Option) -> str:
    equals = f"={option.arg}" if option.arg else ""
    return f"{f'-{option.key}, ' if option.key else '    '}--{option.name}{equals}"


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines


def format_commands(heading: str, commands: Iterable[tuple[str, str]]) -> str:
    """A heading and a line for each command: its name and what it does."""
    lines = [f"   {name:<15} {about}\n" for name, about in commands]
    return f"{heading}:\n{''.join(lines)}"


def terminal_columns() -> int:
    """The width of help: COLUMNS if that is a sensible number, else 80."""
    text = os.environ.get("COLUMNS", "")
    columns = int(text) if text.isascii() and text.isdigit() else 80
    return columns if 16 < columns < 256 else 80
