"""Copies of a job: ``{cc}`` in its command and options is the number of the copy."""

import re
from typing import Final

from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Parsed

#: ``{cc}`` or, with a format specification, ``{cc:03d}``.
_NUMBER: Final = re.compile(r"\{cc(?::([^{}]*))?\}")


def fill_in(parsed: Parsed, number: int) -> Parsed:
    """The command line of copy ``number``.

    :raises CommandError: a format specification is malformed
    """
    filled = Parsed()
    filled.args = [fill_in_text(arg, number) for arg in parsed.args]
    filled.given = [
        (name, value if value is None else fill_in_text(value, number))
        for name, value in parsed.given
    ]
    return filled


def fill_in_text(text: str, number: int) -> str:
    """``text`` with ``number`` in the place of each ``{cc}``; other braces stay."""
    try:
        return _NUMBER.sub(lambda found: format(number, found[1] or ""), text)
    except ValueError as exc:
        raise CommandError(f"Invalid replacement string '{text}': {exc}") from None
