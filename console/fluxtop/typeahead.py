"""Keys take effect in the order in which they were typed, however fast they come.

Theory of operation: Textual hands a key to the widget that has the focus. A character is taken
there; any other key goes up from parent to parent, a queue at each, to where it is bound. So of
two keys that a slow line delivers together the second overtakes the first: ``end`` and ``x``
put the x where the cursor was before. Here a key is handed out when the one before has been
through all the queues, and a new screen or pane that it has opened can take it.
"""

from asyncio import TimerHandle, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

#: How often the way up is gone: an action may send a message up it that moves the focus.
ROUNDS: Final = 2
#: Seconds after which a key is handed out though the one before is still on its way.
PATIENCE: Final = 2.0

Typed = events.Key | events.Paste


class TypeAhead:
    """The keys that have come and wait for those before them.

    :param hand_out: gives a key to the widget that has the focus now
    :param ready: true if what was opened last is there to take a key
    """

    def __init__(
        self,
        app: App[None],
        hand_out: Callable[[Typed], Awaitable[None]],
        ready: Callable[[], bool],
    ) -> None:
        self._app = app
        self._hand_out = hand_out
        self._ready = ready
        self._waiting: deque[Typed] = deque()
        self._number = 0  #: of the key that is on its way
        self._timer: TimerHandle | None = None

    async def take(self, key: Typed) -> None:
        """Hand out ``key``, in its turn."""
        self._waiting.append(key)
        if self._timer is None:
            await self._next()

    async def _next(self) -> None:
        if not self._waiting:
            return
        key = self._waiting.popleft()
        self._number += 1
        self._timer = get_running_loop().call_later(PATIENCE, self._later, self._number)
        start = self._app.focused or self._app.screen
        await self._hand_out(key)
        await self._follow(self._number, iter([*start.ancestors_with_self] * ROUNDS))

    async def _follow(self, number: int, way: Iterator[MessagePump]) -> None:
        """Go the way that the key goes; at its end the next one starts."""
        for pump in way:
            if pump.call_later(self._follow, number, way):
                return
        await self._settle(number)

    async def _settle(self, number: int) -> None:
        """Wait until what the key has opened can take the next one."""
        if number != self._number or self._timer is None:
            return  # it was not waited for any longer
        if self._ready():
            await self._arrived(number)
        else:
            self._app.call_after_refresh(self._settle, number)

    def _later(self, number: int) -> None:
        self._app.call_later(self._arrived, number)

    async def _arrived(self, number: int) -> None:
        if number != self._number or self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        await self._next()
