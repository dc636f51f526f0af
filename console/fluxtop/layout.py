"""Which panes are on the screen: a function of its size and of what the user looks at.

A wide terminal shows everything side by side; a middling one shows what is opened (a value, a
job, a jobspec) in place of the modules and jobs; a small one shows one pane at a time.
"""

from dataclasses import dataclass
from typing import Final

LEFT: Final = ("tbon", "kvs")
MIDDLE: Final = ("modules", "jobs")
DETAIL: Final = ("value", "job", "jobspec")
BOTTOM: Final = ("log",)

#: Below this size one pane is shown at a time.
SMALL: Final = (80, 20)
#: From this width on, what is opened stands beside everything else.
WIDE: Final = 150
#: From this height on the log is shown below the others.
TALL: Final = 24


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The panes shown; ``strip`` is true if a line must name those that are not."""

    panes: frozenset[str]
    strip: bool

    def shows(self, column: tuple[str, ...]) -> bool:
        """True if a pane of ``column`` is shown."""
        return any(pane in self.panes for pane in column)


def arrange(
    width: int, height: int, focus: str, *, zoomed: bool = False, opened: str | None = None
) -> Arrangement:
    """The panes to show.

    :param focus: the pane that the user is in
    :param opened: the pane of DETAIL that is open, if one is
    """
    if zoomed or width < SMALL[0] or height < SMALL[1]:
        return Arrangement(frozenset({focus}), strip=True)
    shown = list(LEFT)
    detail = opened is not None and focus not in MIDDLE
    if width >= WIDE or not detail:
        shown += MIDDLE
    if opened is not None and (width >= WIDE or detail):
        shown.append(opened)
    if height >= TALL:
        shown += BOTTOM
    return Arrangement(frozenset(shown), strip=False)
