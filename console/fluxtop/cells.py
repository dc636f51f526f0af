"""What a table cell says: words in roles, without a colour or a widget.

A role is what a word means (it is good, it is bad, it is an aside); the theme says how that
looks. Presenters make cells out of rows, so what a user reads is tested without a screen.
"""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from rich.cells import cell_len, set_cell_size

Role = Literal["plain", "dim", "strong", "key", "info", "good", "warn", "bad"]

#: Every role there is.
ROLES: Final[tuple[Role, ...]] = get_args(Role)

#: A piece of text in one role.
Span = tuple[str, Role]
#: The spans of a cell, left to right.
Cell = tuple[Span, ...]


def cell(text: object = "", role: Role = "plain") -> Cell:
    """A cell of one span."""
    return ((str(text), role),)


def plain_text(spans: Iterable[Span]) -> str:
    """What the spans say, without their roles."""
    return "".join(text for text, _ in spans)


# -- fitting them into a width --------------------------------------------------------------

#: Joins emoji; the one invisible character that must stay.
_JOINER: Final = "\u200d"


def clean(text: str) -> str:
    """``text`` with a dot for each character that would drive the terminal or hide in it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == _JOINER else "·" for c in text)


def width_of(spans: Iterable[Span]) -> int:
    """The cells that the spans take."""
    return sum(cell_len(text) for text, _ in spans)


def crop(spans: Iterable[Span], width: int, more: str) -> list[Span]:
    """The spans without control characters and in at most ``width`` cells.

    :param more: stands at the end of what is cut off; one cell wide
    """
    cleaned = [(clean(text), role) for text, role in spans]
    if width_of(cleaned) <= width:
        return cleaned
    kept: list[Span] = []
    left = width - 1
    for text, role in cleaned:
        if cell_len(text) > left:
            kept.append((set_cell_size(text, left) if left > 0 else "", role))
            break
        kept.append((text, role))
        left -= cell_len(text)
    return [*kept, (more, "dim")] if width > 0 else []


def pad(
    spans: Iterable[Span], width: int, more: str, align: Literal["left", "right"] = "left"
) -> list[Span]:
    """The spans in exactly ``width`` cells."""
    kept = crop(spans, width, more)
    gap: Span = (" " * max(width - width_of(kept), 0), "plain")
    return [gap, *kept] if align == "right" else [*kept, gap]
