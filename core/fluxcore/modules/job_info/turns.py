"""In which order a client that follows a job is told of its output and of its end.

A short job is over before the client that follows it (``flux job attach``, ``flux run``) has asked
for its output. If the job's own log went ahead, the client would say how the job has ended, and
then print what it had to say; and it would tell of an exception before what the shell has to say of
it. So the end of the log waits for the output, if the same client asks for that; a client that has
only just begun is given a moment to do so.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from fluxcore.handle.requests import sender
from fluxcore.wire.message import Message

#: The log that the end of the job waits for.
_OUTPUT: Final = "output"
#: Seconds that a client has to ask for a log of the guest, and that it is waited for at most.
_GRACE: Final = 0.03
_MOST: Final = 1.0

_Key = tuple[str, int]


class _Waiting:
    """The end of a job's log that waits. ``timer`` ends that, ``deadline`` at the latest."""

    __slots__ = ("deadline", "then", "timer")

    def __init__(self, then: Callable[[], None], deadline: float) -> None:
        self.then = then
        self.deadline = deadline
        self.timer: asyncio.TimerHandle | None = None

    def run(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.then()


class Turns:
    """Which guests' logs each client follows, and what waits for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: dict[_Key, int] = {}
        self._waiting: dict[_Key, list[_Waiting]] = {}

    def opened(self, req: Message, jobid: int) -> None:
        """A client has asked for a log of a guest."""
        key = sender(req), jobid
        self._open[key] = self._open.get(key, 0) + 1
        self._plan(key)

    def ended(self, req: Message, jobid: int, path: str) -> None:
        """It has been told all of the log at ``path``, or wants no more of it."""
        key = sender(req), jobid
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
        if path == _OUTPUT:
            for waiting in self._waiting.pop(key, ()):
                waiting.run()
        else:
            self._plan(key)

    def follows(self, req: Message, jobid: int) -> bool:
        """True if a client follows a log of the guest of a job."""
        return (sender(req), jobid) in self._open

    def wait(self, req: Message, jobid: int, then: Callable[[], None]) -> None:
        """Call ``then`` when the client has had its output, or does not ask for it."""
        key = sender(req), jobid
        waiting = _Waiting(then, self._loop.time() + _MOST)
        self._waiting.setdefault(key, []).append(waiting)
        self._plan(key)

    def _plan(self, key: _Key) -> None:
        for waiting in self._waiting.get(key, ()):
            if waiting.timer is not None:
                waiting.timer.cancel()
            when = waiting.deadline
            if key not in self._open:
                when = min(when, self._loop.time() + _GRACE)
            waiting.timer = self._loop.call_at(when, self._enough, key, waiting)

    def _enough(self, key: _Key, waiting: _Waiting) -> None:
        """It has waited long enough."""
        self._remove(key, waiting)
        waiting.run()

    def _remove(self, key: _Key, waiting: _Waiting) -> None:
        others = self._waiting[key]
        others.remove(waiting)
        if not others:
            del self._waiting[key]

    def forget(self, req: Message, jobid: int, then: Callable[[], None]) -> None:
        """Do not call ``then`` any more."""
        key = sender(req), jobid
        for waiting in list(self._waiting.get(key, ())):
            if waiting.then == then:
                if waiting.timer is not None:
                    waiting.timer.cancel()
                self._remove(key, waiting)
