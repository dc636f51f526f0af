"""A task's process as the loop sees it: its pipes, its PMI socket, its end.

Readers cost system calls, and most short tasks have ended before anything would have come of
them. So they are only set up by :meth:`TaskIO.watch`, a moment after the start; what a task has
written before its end is read then in any case.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from fluxcore.shell.environment import PMI_FD
from fluxcore.shell.stdin import StdinPipe

_CHUNK: Final = 1 << 16
#: Reads made at a task's end before others get their turn: somebody may still be writing.
_LAST_READS: Final = 16

STREAMS: Final = ("stdout", "stderr")


class TaskListener(Protocol):
    """Who is told of what a task does; ``index`` is its number among those of the node."""

    def output(self, index: int, stream: str, data: bytes) -> None:
        """A task has written ``data``; nothing is the end of the stream."""

    def pmi_data(self, index: int, data: bytes) -> None:
        """A task has sent ``data`` to the PMI server; nothing is the end."""

    def exited(self, index: int, status: int) -> None:
        """A task has ended, with its wait status."""


class TaskIO:
    """One task, from before its start until nothing of it is left.

    ``stdin`` is the file it reads instead of a pipe, and belongs to this from now on.

    :raises OSError: there are no more descriptors
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        index: int,
        listener: TaskListener,
        *,
        stdin: int | None = None,
        pmi: bool = True,
    ) -> None:
        self._loop = loop
        self.index = index
        self._listener = listener
        self.pid = 0
        self.ended = False
        self._watching = False
        self._held = False
        self._stdin: StdinPipe | None = None
        self._outputs: dict[str, int] = {}
        self._pmi: int | None = None
        self._theirs: list[tuple[int, int]] = []
        try:
            self._open(stdin, pmi)
        except OSError:
            self.close()
            raise

    def _open(self, stdin: int | None, pmi: bool) -> None:
        if stdin is None:
            stdin, writing = os.pipe()
            self._stdin = StdinPipe(self._loop, writing)
        self._theirs.append((stdin, 0))
        for number, stream in enumerate(STREAMS, 1):
            self._outputs[stream], theirs = os.pipe()
            self._theirs.append((theirs, number))
            os.set_blocking(self._outputs[stream], False)
        if pmi:
            ours, peer = socket.socketpair()
            ours.setblocking(False)
            self._pmi = ours.detach()
            self._theirs.append((peer.detach(), PMI_FD))

    @property
    def fds(self) -> list[tuple[int, int]]:
        """The descriptors that the task gets: each here, and its number there."""
        return self._theirs

    # -- its life --------------------------------------------------------------------------

    def started(self, pid: int) -> None:
        """The task runs."""
        self.pid = pid
        self._close_theirs()

    def exited(self, status: int) -> None:
        """The task has ended."""
        self.ended = True
        if self._stdin is not None:
            self._stdin.close()
        for stream in list(self._outputs):
            self._read_last(stream)
        self._read_last_pmi()
        self._listener.exited(self.index, status)
        if self._outputs:
            self.watch()  # another process has them open

    def kill(self, signum: int, *, group: bool = True) -> None:
        """Send a signal to the task, with ``group`` to all of its process group."""
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                (os.killpg if group else os.kill)(self.pid, signum)

    def reap(self, forget: Callable[[int], None]) -> None:
        """``forget`` the process of a task that has ended."""
        if self.pid:
            forget(self.pid)
            self.pid = 0

    def close(self) -> None:
        """Close all that is open."""
        self._close_theirs()
        if self._stdin is not None:
            self._stdin.close()
        for stream in list(self._outputs):
            self._close_output(stream)
        self._close_pmi()

    def _close_theirs(self) -> None:
        theirs, self._theirs = self._theirs, []
        for fd, _number in theirs:
            os.close(fd)

    # -- its output ------------------------------------------------------------------------

    def watch(self) -> None:
        """Tell the listener of what comes from now on, as it comes."""
        if self._watching:
            return
        self._watching = True
        if not self._held:
            self._add_readers()
        if self._pmi is not None:
            self._loop.add_reader(self._pmi, self._read_pmi)

    def hold(self, held: bool) -> None:
        """Leave output where it is, and so in the end stop the task, until it is let go."""
        if held == self._held:
            return
        self._held = held
        if not self._watching:
            return
        if not held:
            self._add_readers()
            return
        for fd in self._outputs.values():
            self._loop.remove_reader(fd)

    def _add_readers(self) -> None:
        for stream, fd in self._outputs.items():
            self._loop.add_reader(fd, self._read, stream)

    def _read(self, stream: str) -> bool:
        """Read once; False if nothing was there."""
        fd = self._outputs.get(stream)
        if fd is None:
            return False
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._close_output(stream)
        self._listener.output(self.index, stream, data)
        return True

    def _read_last(self, stream: str) -> None:
        for _ in range(_LAST_READS):
            if not self._read(stream):
                return

    def drop_output(self) -> None:
        """Read what is there and wait for no more: whoever has the streams open is not a task."""
        for stream in list(self._outputs):
            self._read_last(stream)
            if stream in self._outputs:
                self._close_output(stream)
                self._listener.output(self.index, stream, b"")

    def _close_output(self, stream: str) -> None:
        fd = self._outputs.pop(stream)
        if self._watching and not self._held:
            self._loop.remove_reader(fd)
        os.close(fd)

    # -- its input -------------------------------------------------------------------------

    @property
    def unwritten(self) -> int:
        """Bytes of input that the task has not read."""
        return self._stdin.unwritten if self._stdin is not None else 0

    def write(self, data: bytes, *, eof: bool = False) -> None:
        """Give ``data`` to the task's stdin, and with ``eof`` close it behind that."""
        if self._stdin is not None:
            self._stdin.write(data, eof=eof)

    # -- PMI -------------------------------------------------------------------------------

    def _read_pmi(self) -> bool:
        """Read once; False if nothing was there."""
        if self._pmi is None:
            return False
        try:
            data = os.read(self._pmi, _CHUNK)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            self._close_pmi()
        self._listener.pmi_data(self.index, data)
        return True

    def _read_last_pmi(self) -> None:
        """Read what a task has said last: that it aborts, perhaps."""
        for _ in range(_LAST_READS):
            if not self._read_pmi():
                return

    def answer_pmi(self, data: bytes) -> None:
        """Send ``data`` to the task's PMI client.

        A client waits for each answer, so the socket has room for it; one that does not, or
        that is gone, gets no more.
        """
        if self._pmi is None:
            return
        try:
            whole = os.write(self._pmi, data) == len(data)
        except (BlockingIOError, ConnectionError):
            whole = False
        if not whole:
            self._close_pmi()

    def _close_pmi(self) -> None:
        if self._pmi is not None:
            if self._watching:
                self._loop.remove_reader(self._pmi)
            os.close(self._pmi)
            self._pmi = None
