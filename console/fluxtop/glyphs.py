"""The signs beside the words, in two sets: for UTF-8 terminals and for plain ASCII ones.

A state is always a sign and a word and a colour, so that none of the three is needed alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fluxtop.cells import Role
from fluxtop.data.tree import Branch

#: The role of each state that anything can be in.
STATE_ROLES: Final[Mapping[str, Role]] = {
    # subtrees (CONTRACTS B7)
    "full": "good",
    "partial": "warn",
    "degraded": "bad",
    "lost": "bad",
    "offline": "dim",
    "unknown": "dim",
    # modules (A20)
    "init": "info",
    "running": "good",
    "finalizing": "warn",
    "exited": "bad",
    # jobs (RFC 21)
    "new": "info",
    "depend": "info",
    "priority": "info",
    "sched": "info",
    "run": "good",
    "cleanup": "warn",
    "completed": "dim",
    "failed": "bad",
    "canceled": "warn",
    "timeout": "bad",
    "inactive": "dim",
    # the connection
    "starting": "info",
    "connecting": "info",
    "connected": "good",
    "closed": "dim",
}

_UNICODE: Final[Mapping[str, str]] = {
    "full": "●",
    "partial": "◐",
    "degraded": "▲",
    "lost": "✖",
    "offline": "○",
    "unknown": "·",
    "init": "◌",
    "running": "●",
    "finalizing": "◑",
    "exited": "✖",
    "new": "◌",
    "depend": "◌",
    "priority": "◌",
    "sched": "◌",
    "run": "▶",
    "cleanup": "◑",
    "completed": "✔",
    "failed": "✖",
    "canceled": "⊘",
    "timeout": "◷",
    "inactive": "·",
    "starting": "◌",
    "connecting": "◌",
    "connected": "●",
    "closed": "○",
}

_ASCII: Final[Mapping[str, str]] = {
    "full": "*",
    "partial": "%",
    "degraded": "!",
    "lost": "x",
    "offline": "o",
    "unknown": ".",
    "init": "-",
    "running": "*",
    "finalizing": "%",
    "exited": "x",
    "new": "-",
    "depend": "-",
    "priority": "-",
    "sched": "-",
    "run": ">",
    "cleanup": "%",
    "completed": "+",
    "failed": "x",
    "canceled": "/",
    "timeout": "!",
    "inactive": ".",
    "starting": "-",
    "connecting": "-",
    "connected": "*",
    "closed": "o",
}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs."""

    states: Mapping[str, str]
    pipe: str
    tee: str
    elbow: str
    folded: str
    unfolded: str
    heart: str
    more: str  #: stands for text that is cut off
    dot: str  #: between two things said
    plain: bool = False  #: ASCII only, frames too

    def state(self, word: str) -> str:
        """The sign of a state."""
        return self.states.get(word, self.states["unknown"])

    def draw(self, branch: Branch) -> str:
        """The lines that lead to a row of a tree, two cells for each level."""
        if not branch:
            return ""
        above = "".join(f"{self.pipe} " if more else "  " for more in branch[:-1])
        return above + (self.tee if branch[-1] else self.elbow)

    def fold(self, expanded: bool | None) -> str:
        """The sign of a row that can be unfolded; a blank for one that cannot."""
        return " " if expanded is None else self.unfolded if expanded else self.folded


UNICODE: Final = Glyphs(
    states=_UNICODE,
    pipe="│",
    tee="├─",
    elbow="└─",
    folded="▸",
    unfolded="▾",
    heart="♥",
    more="…",
    dot="·",
)

ASCII: Final = Glyphs(
    states=_ASCII,
    pipe="|",
    tee="|-",
    elbow="`-",
    folded="+",
    unfolded="-",
    heart="<3",
    more="~",
    dot="-",
    plain=True,
)


def role_of(state: str) -> Role:
    """The role of a state."""
    return STATE_ROLES.get(state, "plain")
