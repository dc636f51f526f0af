"""The lines that a job has printed."""

from collections.abc import Mapping
from typing import Final

from fluxtop.cells import Role, Span
from fluxtop.data.output_model import OutputLine

_ROLES: Final[Mapping[str, Role]] = {"stderr": "warn", "shell": "info"}


def output_line(line: OutputLine, ntasks: int) -> list[Span]:
    """A line; which task wrote it is said only where there are several."""
    label = f"{line.rank}: " if ntasks > 1 and line.rank else ""
    return [(label, "dim"), (line.text, _ROLES.get(line.stream, "plain"))]
