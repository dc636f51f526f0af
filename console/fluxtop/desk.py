"""What every pane is given: the instance, the time, and how things are to look."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fluxtop.data.source import Source
from fluxtop.drafts import Drafts
from fluxtop.glyphs import UNICODE, Glyphs


@dataclass(slots=True)
class Desk:
    """The console's surroundings.

    ``clock`` gives seconds since 1970; ``own_rank`` is the rank of the broker that the console
    is attached to, known once it has answered; ``chosen_rank`` the one whose modules are shown.
    """

    source: Source
    drafts: Drafts
    clock: Callable[[], float] = time.time
    glyphs: Glyphs = UNICODE
    read_only: bool = False
    embedded: bool = False
    keymap: Mapping[str, str] = field(default_factory=dict)
    own_rank: int = 0
    chosen_rank: int = 0

    @property
    def now(self) -> float:
        """The time that what is shown is true for: while the connection is lost, it stands."""
        connection = self.source.connection
        if connection.up or connection.seen is None:
            return self.clock()
        return connection.seen
