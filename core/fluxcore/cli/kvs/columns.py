"""Names in columns and values on a line, as wide as the terminal."""

import fcntl
import os
import struct
import sys
import termios
from collections.abc import Sequence
from typing import Final

_GAP: Final = 4
_DOTS: Final = b"..."


def format_columns(names: Sequence[tuple[str, str]], width: int) -> str:
    """The names in rows, each column as wide as the longest name.

    :param names: each as it counts for the width, and as it is shown
    :param width: of the terminal in bytes; 0 for one row however long, 1 for one name a row
    """
    column = max((len(name.encode()) for name, _ in names), default=0) + _GAP
    lines: list[str] = []
    line, used, padding = "", 0, 0
    for _, shown in names:
        if used and width and used + column > width:
            lines.append(line)
            line, used, padding = "", 0, 0
        line += " " * padding + shown
        padding = column - len(shown.encode())
        used += column
    return "".join([f"{line}\n" for line in [*lines, line]]) if names else ""


def format_value(key: str, value: bytes, width: int) -> bytes:
    """``key = value`` without a newline: what fits into ``width`` bytes, 0 for all of it.

    A value of several lines is cut after the first; dots say that something is missing.
    """
    line = f"{key} = ".encode() + value
    if width <= len(_DOTS):
        return line
    room = width - len(_DOTS)
    missing = len(line) > room
    line = _whole_characters(line[:room])
    first, newline, rest = line.partition(b"\n")
    if newline:
        missing = missing or bool(rest)
    return first + _DOTS if missing else first


def _whole_characters(data: bytes) -> bytes:
    """``data`` without the beginning of a UTF-8 character at its end."""
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead & 0xC0 != 0x80:
            size = 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)
            return data[:-back] if size > back else data
    return data


def output_width() -> int:
    """The width of the terminal that stdout is, else COLUMNS, else 80."""
    try:
        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except OSError:
        text = os.environ.get("COLUMNS", "")
        return int(text) if text.isascii() and text.isdigit() else 80
    _rows, columns, _x, _y = struct.unpack("HHHH", size)
    return int(columns)
