"""JSON that is laid out over lines, in roles."""

import re
from typing import Final

from fluxtop.cells import Role, Span

_LINE: Final = re.compile(r'^(\s*)("(?:[^"\\]|\\.)*"(?=:))?(: )?(.*?)(,?)$')


def dress(line: str) -> list[Span]:
    """One line of pretty-printed JSON: its key and its value told apart."""
    found = _LINE.match(line)
    if found is None:
        return [(line, "plain")]
    indent, key, colon, value, comma = found.groups()
    spans: list[Span] = [(indent, "plain")]
    if key:
        spans += [(key, "key"), (colon or "", "dim")]
    return [*spans, (value, _role(value)), (comma, "dim")]


def _role(value: str) -> Role:
    if value.startswith('"'):
        return "good"
    if value in ("{", "}", "[", "]", "{}", "[]"):
        return "dim"
    return "info"
