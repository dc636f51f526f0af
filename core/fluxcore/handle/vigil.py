"""Whether to stay awake for what the peer sends next, without IO and without a clock.

A client that asks one thing after the other sends its next request a moment after our answer, and
a service that is quick answers a moment after the request. To sleep until then and be woken costs
more than the whole request: twice a change of context, and on an idle machine the way out of a
processor's rest. So on either side of a connection, after something was said to such a peer, one
looks for what it sends a little longer before one sleeps.

That is only done for a peer that has been quick several times in a row, and each time it was in
vain the peer has to be quick twice as often before it is done again.
"""

import os
from typing import Final

#: Seconds in which what the peer sends counts as quick.
WINDOW: Final = 300e-6
#: How often in a row a peer has to be quick at first, and at most.
FIRST: Final = 8
MOST: Final = 1024


class Vigil:
    """What is known of one peer. All times are in seconds, of any clock."""

    __slots__ = ("_awake", "_heard", "_needed", "_quick", "_said")

    def __init__(self) -> None:
        self._said = 0.0
        self._heard = True
        self._awake = False
        self._quick = 0
        self._needed = FIRST

    def heard(self, now: float) -> None:
        """The peer has sent something."""
        if self._heard:
            return  # we have said nothing since it last did
        self._heard = True
        if now - self._said > WINDOW:
            self._quick = 0
            return
        self._quick += 1
        if self._quick > self._needed:
            self._needed = FIRST

    def said(self, now: float) -> bool:
        """The peer has been sent something; True if a vigil is to begin."""
        self._said = now
        self._heard = False
        begins = not self._awake and self._quick >= self._needed
        self._awake = self._awake or begins
        return begins

    def goes_on(self, now: float) -> bool:
        """True if there is a vigil and it is to go on: it outlasts any number of quick answers."""
        if not self._awake:
            return False
        if now - self._said <= WINDOW:
            return True
        self._awake = False
        if not self._heard:
            self._quick = 0
            self._needed = min(2 * self._needed, MOST)
        return False


def new_vigil() -> Vigil | None:
    """One for a new peer; None on one processor, where it could not run while we look for it."""
    return Vigil() if len(os.sched_getaffinity(0)) > 1 else None
