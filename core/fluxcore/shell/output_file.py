"""What a job's output is written to besides the KVS (CONTRACTS D21).

Files may be anywhere, on a file server that hangs too, so they are written in the loop's threads
and never on it. A FIFO or a terminal takes what its reader leaves room for, perhaps nothing for
ever: no thread is to wait for that, so these are written by the loop, as there is room.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence

from fluxcore.shell.room import Room

#: Pieces of output, each with the rank of its task.
Pieces = Sequence[tuple[str, bytes]]
#: Told of the size of what has been written, and of the error if there was one.
Written = Callable[[int, OSError | None], None]


class OutputFile:
    """A regular file, written by one thread at a time, in order."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, label: bool, written: Written
    ) -> None:
        self._loop = loop
        self._fd = fd
        self._label = label
        self._written = written
        self._waiting: list[bytes] = []
        self._size = 0
        self._busy = False
        self._closing = False

    @property
    def idle(self) -> bool:
        """True if all is written."""
        return not self._busy and not self._waiting

    def write(self, pieces: Pieces) -> None:
        """Write ``pieces`` soon, in a labelled file each behind its task's rank."""
        for rank, data in pieces:
            self._waiting.append(_labelled(rank, data) if self._label else data)
            self._size += len(data)
        if self._waiting and not self._busy:
            self._begin()

    def give_up(self) -> None:
        """Go on: a file can always be written."""

    def close(self) -> None:
        """Close the file, once all is written."""
        self._closing = True
        if self.idle:
            os.close(self._fd)

    def _begin(self) -> None:
        batch, self._waiting = b"".join(self._waiting), []
        size, self._size = self._size, 0
        self._busy = True
        writing = self._loop.run_in_executor(None, _write_all, self._fd, batch)
        writing.add_done_callback(lambda done: self._done(size, done))

    def _done(self, size: int, done: "asyncio.Future[None]") -> None:
        self._busy = False
        error = done.exception()
        if self._waiting:
            self._begin()
        elif self._closing:
            os.close(self._fd)
        self._written(size, error if isinstance(error, OSError) else None)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _labelled(rank: str, data: bytes) -> bytes:
    return f"{rank}: ".encode() + data


class OutputPipe:
    """A FIFO, a terminal or another device."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, label: bool, written: Written
    ) -> None:
        os.set_blocking(fd, False)
        self._loop = loop
        self._fd: int | None = fd
        self._label = label
        self._written = written
        #: What is left of each piece, and the size it had without its label.
        self._waiting: deque[tuple[memoryview, int]] = deque()
        self._room = Room(loop, fd, self._flush)
        self._closing = False

    @property
    def idle(self) -> bool:
        """True if all is written."""
        return not self._waiting

    def write(self, pieces: Pieces) -> None:
        """Write ``pieces`` soon, in a labelled file each behind its task's rank."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        for rank, data in pieces:
            whole = _labelled(rank, data) if self._label else data
            self._waiting.append((memoryview(whole), len(data)))

    def _flush(self) -> None:
        size, error = 0, None
        try:
            while self._waiting and self._fd is not None:
                size += self._write_one(self._fd)
        except BlockingIOError:
            self._room.wait()
        except OSError as exc:  # nobody will read it any more
            error, size = exc, size + self._drop()
        if not self._waiting:
            self._room.stop()
            if self._closing:
                self._close()
        if size:
            self._written(size, error)

    def _write_one(self, fd: int) -> int:
        """Write from the first piece; its size if that was the last of it."""
        piece, size = self._waiting[0]
        count = os.write(fd, piece)
        if count < len(piece):
            self._waiting[0] = (piece[count:], size)
            return 0
        self._waiting.popleft()
        return size

    def _drop(self) -> int:
        size = sum(size for _piece, size in self._waiting)
        self._waiting.clear()
        return size

    def give_up(self) -> None:
        """Write what there is room for, and drop the rest."""
        self._flush()
        self._drop()
        self._room.stop()

    def close(self) -> None:
        """Close it, once all is written."""
        self._closing = True
        if self.idle:
            self._close()

    def _close(self) -> None:
        if self._fd is not None:
            self._room.stop()
            os.close(self._fd)
            self._fd = None
