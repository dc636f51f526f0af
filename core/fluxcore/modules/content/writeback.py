"""Which blobs the backing store does not have yet (CONTRACTS C17, C18).

On rank 0 a store is answered at once and written behind it. There is no IO here: ``store`` is
told which blobs to send to the backing store, and :meth:`WriteBack.stored` what became of them.
"""

import errno
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

#: Takes 0 when everything is written, or the errno of what could not be.
Flushed = Callable[[int], None]

BATCH_LIMIT: Final = 256


class WriteBack:
    """Dirty blobs by digest: those that wait, and at most ``limit`` on their way."""

    def __init__(self, store: Callable[[list[bytes]], None], limit: int = BATCH_LIMIT) -> None:
        self._store = store
        self._limit = limit
        #: In the order in which they became dirty, each with its number in that order.
        self._dirty: dict[bytes, int] = {}
        self._added = 0
        self._queue: deque[bytes] = deque()
        #: Each with the number of the last blob that it waits for.
        self._flushes: deque[tuple[int, Flushed]] = deque()
        self._failed: list[bytes] = []
        #: How many of the queue may go; the rest has come since and waits for the next pump.
        self._due = 0
        self._sending = False
        self.in_flight = 0
        #: True while there is a backing store.
        self.active = False

    def __len__(self) -> int:
        return len(self._dirty)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._dirty

    def add(self, digest: bytes) -> None:
        """A blob that is not dirty has become so."""
        self._added += 1
        self._dirty[digest] = self._added
        self._queue.append(digest)

    def pump(self) -> None:
        """Send what waits now, and what could not be written before; see :meth:`stored`."""
        self._queue.extend(self._failed)
        self._failed.clear()
        self._due = len(self._queue)
        self._send()

    def _send(self) -> None:
        if self._sending:
            return  # an answer that came at once
        self._sending = True
        try:
            while self.active and (count := min(self._due, self._limit - self.in_flight)):
                self._due -= count
                self.in_flight += count
                self._store([self._queue.popleft() for _ in range(count)])
        finally:
            self._sending = False

    def stored(self, digests: Sequence[bytes], errnum: int) -> None:
        """Blobs were written and are clean now, or were not.

        Those that were not are tried again with the next :meth:`pump` and not before, so a full
        disk is not hammered.
        """
        self.in_flight -= len(digests)
        if errnum:
            self._failed.extend(digests)
            self._tell(errnum)
        else:
            for digest in digests:
                del self._dirty[digest]
            self._tell_written()
        self._send()

    def flush(self, then: Flushed) -> None:
        """Call ``then`` once all that is dirty now is written, or something could not be.

        It does not wait for what comes later, which in a busy instance never ends.
        """
        if not self.active:
            then(errno.ENOSYS)
        elif not self._dirty:
            then(0)
        else:
            self._flushes.append((self._added, then))
            self.pump()

    def stop(self) -> None:
        """The backing store is gone: those who wait for a flush are told ENOSYS."""
        self.active = False
        self._tell(errno.ENOSYS)

    def _tell_written(self) -> None:
        if self._flushes:
            oldest = next(iter(self._dirty.values()), self._added + 1)
            while self._flushes and self._flushes[0][0] < oldest:
                self._flushes.popleft()[1](0)

    def _tell(self, errnum: int) -> None:
        flushes, self._flushes = self._flushes, deque()
        for _, then in flushes:
            then(errnum)
