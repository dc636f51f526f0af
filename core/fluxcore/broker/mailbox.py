"""A link to code on the broker's own loop that is never entered while it runs.

A message to a module is a direct call of its handler. When that handler sends a request, the
other module's handler runs at once, inside it, and may answer at once; without care the answer
(or a request that the other module makes in turn) would re-enter the first module half-way through
its work. So whatever arrives while a module runs waits in its mailbox and is handled, in order, as
soon as it has finished. No task and no loop turn lies between.

When a coroutine of the module (rather than a handler) sends, only the responses it provokes are
handled before the send returns; everything else waits for the next loop turn, so a coroutine sees
other handlers run at its awaits and nowhere else.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


class Scheduler(Protocol):
    """The part of an event loop that a mailbox needs."""

    def call_soon(self, callback: Callable[[], None]) -> object:
        """Call ``callback`` in the next loop turn."""


class Mailbox:
    """Delivers to ``receive`` one message at a time; before that is set, nothing may come."""

    __slots__ = ("_busy", "_loop", "_scheduled", "_waiting", "receive")

    receive: Callable[[Message], None]

    def __init__(self, loop: Scheduler) -> None:
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._busy = False
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def deliver(self, msg: Message) -> None:
        """Handle ``msg`` now, or as soon as what runs has finished."""
        if self._busy or self._scheduled:
            self._waiting.append(msg)
        else:
            self._drain(msg)

    def _drain(self, msg: Message) -> None:
        """Handle ``msg`` and what comes meanwhile."""
        receive, waiting = self.receive, self._waiting
        self._busy = True
        try:
            receive(msg)
            while waiting:
                receive(waiting.popleft())
        finally:
            self._busy = False
            if waiting:
                self._postpone()

    def _postpone(self) -> None:
        """Leave what still waits to the next loop turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._resume)

    def send(self, route: Callable[[Message], None], msg: Message) -> None:
        """Send ``msg`` for the code behind this mailbox by calling ``route`` with it."""
        if self._busy:
            route(msg)
            return
        self._busy = True
        try:
            route(msg)
            while self._waiting and self._waiting[0].type == c.RESPONSE:
                self.receive(self._waiting.popleft())
        finally:
            self._busy = False
            if self._waiting:
                self._postpone()

    def _resume(self) -> None:
        self._scheduled = False
        if not self._busy and self._waiting:
            self._drain(self._waiting.popleft())
