"""The responses to one request, without IO: what both shells' calls are made of."""

import errno
from collections import deque
from collections.abc import Callable

from fluxcore.handle.core import response_result
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, request


class Responses:
    """Responses that have come and not been taken, in order.

    The last one (any response to a plain request, the error that ends a stream) stays: to take
    again gives it again, so that a finished call is never waited for.
    """

    __slots__ = ("_arrived", "_got", "_last", "_then", "ended", "nodeid", "tag", "topic")

    def __init__(self, topic: str, nodeid: int) -> None:
        self._got: deque[Message] = deque()
        self._last: Message | None = None
        self._then: Callable[[Message], None] | None = None
        #: Told that there is something to take.
        self._arrived: Callable[[], None] | None = None
        self.topic = topic
        self.nodeid = nodeid
        self.tag = 0
        #: True once the last response has come, or nobody waits for it any more.
        self.ended = False

    def feed(self, msg: Message) -> None:
        """Take a response in (called by the handle)."""
        if msg.aux1 or not msg.flags & c.STREAMING:
            self.ended = True
        if self._then is not None:
            self._then(msg)
        else:
            self._got.append(msg)
            if self._arrived is not None:
                self._arrived()

    def then(self, function: Callable[[Message], None]) -> None:
        """Call ``function`` with each response, errors included, as it comes.

        No task and no loop turn lies between the response and the call.
        """
        self._then = function
        while self._got:
            function(self._got.popleft())

    @property
    def ready(self) -> bool:
        """True if :meth:`take` has something to give."""
        return bool(self._got) or self._last is not None

    def take(self) -> Message:
        """The next response; the last one again and again.

        :raises OSError: it is a failure
        """
        if self._got:
            msg = self._got.popleft()
            if self.ended and not self._got and self._last is None:
                self._last = msg
        else:
            assert self._last is not None, "nothing has come yet"
            msg = self._last
        return response_result(msg)

    def end(self, errnum: int, text: str | None = None) -> None:
        """Wait for nothing more: what is taken from now on fails with ``errnum``."""
        self.ended = True
        self._last = error_response(request(self.topic), errnum, text)

    def expire(self, timeout: float) -> None:
        """End because nothing has come in ``timeout`` seconds."""
        self.end(errno.ETIMEDOUT, f"{self.topic}: no answer in {timeout:g}s")
