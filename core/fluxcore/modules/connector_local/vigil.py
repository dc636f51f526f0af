"""Whether to stay awake for a client's next request, without IO and without a clock.

A client that asks one thing after the other sends its next request a moment after our answer. To
sleep until then and be woken costs more than the whole request: twice a change of context, and
on an idle machine the way out of a processor's rest. So after an answer to such a client the loop
looks for the next request a little longer before it sleeps.

That is only done for a client that has been quick several times in a row, and each time it was
in vain the client has to be quick twice as often before it is done again.
"""

from typing import Final

#: Seconds after an answer in which the next request counts as quick.
WINDOW: Final = 300e-6
#: How often in a row a client has to be quick at first, and at most.
FIRST: Final = 8
MOST: Final = 1024


class Vigil:
    """What is known of one client. All times are in seconds, of any clock."""

    __slots__ = ("_answered", "_asked", "_awake", "_needed", "_quick")

    def __init__(self) -> None:
        self._answered = 0.0
        self._asked = True
        self._awake = False
        self._quick = 0
        self._needed = FIRST

    def asked(self, now: float) -> None:
        """The client has sent something."""
        if self._asked:
            return  # it has not been answered since it last did
        self._asked = True
        if now - self._answered > WINDOW:
            self._quick = 0
            return
        self._quick += 1
        if self._quick > self._needed:
            self._needed = FIRST

    def answered(self, now: float) -> bool:
        """The client has been sent something; True if a vigil is to begin."""
        self._answered = now
        self._asked = False
        begins = not self._awake and self._quick >= self._needed
        self._awake = self._awake or begins
        return begins

    def goes_on(self, now: float) -> bool:
        """True if the vigil is to go on: it outlasts any number of quick requests."""
        if now - self._answered <= WINDOW:
            return True
        self._awake = False
        if not self._asked:
            self._quick = 0
            self._needed = min(2 * self._needed, MOST)
        return False
