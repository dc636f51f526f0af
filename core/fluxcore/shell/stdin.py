"""The stdin of a task: a pipe that is written to as the task reads."""

import asyncio
import os
from collections import deque

from fluxcore.shell.room import Room


class StdinPipe:
    """The writing end ``fd`` of a task's stdin, and what is still to go through it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._at_end = False
        self._room = Room(loop, fd, self._flush)

    @property
    def unwritten(self) -> int:
        """Bytes that the task has not taken yet."""
        return self._size

    def write(self, data: bytes, *, eof: bool = False) -> None:
        """Give ``data`` to the task, and with ``eof`` close the pipe behind it."""
        if self._fd is None or self._at_end:
            return
        self._at_end = eof
        if data:
            self._waiting.append(memoryview(data))  # its rest is no copy
            self._size += len(data)
        if not self._room.awaited:
            self._flush()

    def _flush(self) -> None:
        assert self._fd is not None
        try:
            while self._waiting:
                self._write_one(self._fd)
        except BlockingIOError:
            self._room.wait()
            return
        except BrokenPipeError:
            self._at_end = True
        if self._at_end:
            self.close()
        else:
            self._room.stop()

    def _write_one(self, fd: int) -> None:
        data = self._waiting[0]
        count = os.write(fd, data)
        self._size -= count
        self._waiting.popleft()
        if count < len(data):
            self._waiting.appendleft(data[count:])

    def close(self) -> None:
        """Close the pipe; what is unwritten is dropped."""
        if self._fd is not None:
            self._room.stop()
            os.close(self._fd)
            self._fd = None
        self._waiting.clear()
        self._size = 0
