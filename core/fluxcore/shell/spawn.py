"""Having programs started by the launcher (see launcher.py) and hearing how they end."""

import asyncio
import errno
import marshal
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from fluxcore.shell.launcher import ENDED, FAILED, MESSAGE_MAX, REPLY, STARTED, command
from fluxcore.shell.program import Program

#: What is told of a start: the process id, or why there is none.
Started = Callable[[int | OSError], None]
#: Is told a wait status.
Ended = Callable[[int], None]

#: Why a message cannot be sent just now, and the seconds until it is tried again: the launcher
#: is behind by some hundred kilobytes, or by as many descriptors as there may be on their way.
_BUSY: Final = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)
_BUSY_DELAY: Final = 0.01
#: Seconds that the launcher may take to end.
_CLOSE_TIMEOUT: Final = 5.0
#: Seconds until a launcher is made for programs that may come.
_EARLY_DELAY: Final = 0.1


class Spawner:
    """Starts programs in the order they were asked for, as children of a launcher.

    The launcher begins with the first program and ends with :meth:`close`. If it is lost, what it
    has started counts as killed, and is; ``log`` is told, and the next program has a new one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Callable[[str], None]) -> None:
        self._loop = loop
        self._log = log
        self._launcher: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        #: The number of a program, or 0, what is to be sent, and descriptors.
        self._unsent: deque[tuple[int, bytes, Sequence[int]]] = deque()
        self._early: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None
        self._number = 0
        #: By their numbers.
        self._starting: dict[int, tuple[Program, Started, Ended]] = {}
        #: By their process ids, as are those that have ended and are not forgotten.
        self._running: dict[int, tuple[Program, Ended]] = {}
        self._ended: dict[int, Program] = {}

    def start(self, program: Program, started: Started, ended: Ended) -> None:
        """Start ``program`` soon; ``started`` is then called on the loop, ``ended`` at its end.

        Until it is started the descriptors must stay open.
        """
        self._number = self._number + 1 & 0xFFFFFFFF
        try:
            fields: tuple[Any, ...] = (self._number, *program)
            message = marshal.dumps(fields)
            self._sock = self._sock or self._launch()
        except (OSError, ValueError) as exc:
            error = exc if isinstance(exc, OSError) else OSError(errno.EINVAL, str(exc))
            self._loop.call_soon(started, error)
            return
        self._starting[self._number] = program, started, ended
        self._send(self._number, message, [ours for ours, _ in program.fds])

    def reap(self, pid: int) -> None:
        """Forget process ``pid``, which has ended, and kill what is left of its own group.

        Until then its id is kept; only if the launcher was lost there is nothing to be done.
        """
        program = self._ended.pop(pid, None)
        if program is not None:
            _kill_group(pid, program)
            self._send(0, marshal.dumps(pid), ())

    async def close(self) -> None:
        """End the launcher, once it has started what was asked for; what runs goes on."""
        if self._early is not None:
            self._early.cancel()
        if self._sock is None:
            return
        self._closing = self._loop.create_future()
        if self._retry is None:
            self._flush()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._closing
        except TimeoutError:
            self._log("the launcher of tasks does not end, and is killed")
        finally:
            self._end()

    # -- the launcher ----------------------------------------------------------------------

    def launch_soon(self) -> None:
        """Let the launcher begin before the first program does, which then need not wait for it.

        It begins after a while, so as not to hold up others that begin now.
        """
        self._early = self._loop.call_later(_EARLY_DELAY, self._launch_early)

    def _launch_early(self) -> None:
        with suppress(OSError):  # the first program will say it
            self._sock = self._sock or self._launch()

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._launcher = subprocess.Popen(
                    command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # a terminal's signals are not for it
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._loop.add_reader(ours, self._receive)
        return ours

    def _send(self, number: int, message: bytes, fds: Sequence[int]) -> None:
        self._unsent.append((number, message, fds))
        if self._retry is None:
            self._flush()

    def _flush(self) -> None:
        assert self._sock is not None
        self._retry = None
        while self._unsent:
            number, message, fds = self._unsent[0]
            try:
                _send_one(self._sock, number, message, fds)
            except ConnectionError:  # which is read as its end
                self._unsent.clear()
                return
            except OSError as exc:
                if exc.errno in _BUSY:
                    self._retry = self._loop.call_later(_BUSY_DELAY, self._flush)
                    return
                if number in self._starting:
                    self._loop.call_soon(self._starting.pop(number)[1], exc)
            self._unsent.popleft()
        if self._closing is not None:
            self._sock.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        assert self._sock is not None
        try:
            reply = self._sock.recv(REPLY.size)
        except BlockingIOError:
            return
        except OSError:
            reply = b""
        if reply:
            self._take(reply)
        elif self._closing is None:
            self._lost()
        elif not self._closing.done():
            self._loop.remove_reader(self._sock)
            self._closing.set_result(None)

    def _take(self, reply: bytes) -> None:
        kind, first, second = REPLY.unpack(reply)
        if kind == STARTED:
            program, started, ended = self._starting.pop(first)
            self._running[second] = program, ended
            started(second)
        elif kind == FAILED:
            _program, started, _ended = self._starting.pop(first)
            started(OSError(second, os.strerror(second)))
        elif kind == ENDED:
            self._ended[first], ended = self._running.pop(first)
            ended(second)

    def _lost(self) -> None:
        """The launcher has been killed."""
        self._end()
        running, self._running = self._running, {}
        self._log(f"the launcher of tasks has ended: {len(running)} running tasks are killed")
        for pid, (program, ended) in running.items():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            _kill_group(pid, program)
            self._loop.call_soon(ended, int(signal.SIGKILL))

    def _end(self) -> None:
        assert self._sock is not None
        assert self._launcher is not None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._launcher.kill()
        self._launcher.wait()
        self._sock = self._launcher = self._closing = None
        self._unsent.clear()
        self._ended.clear()
        starting, self._starting = self._starting, {}
        for _program, started, _ended in starting.values():
            self._loop.call_soon(started, OSError(errno.EIO, os.strerror(errno.EIO)))


def _kill_group(leader: int, program: Program) -> None:
    """Kill what is left of the group that a program leads."""
    if program.group is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _send_one(sock: socket.socket, number: int, message: bytes, fds: Sequence[int]) -> None:
    if len(message) <= MESSAGE_MAX:
        if fds:
            socket.send_fds(sock, [message], fds)
        else:
            sock.send(message)
        return
    file = os.memfd_create("program")
    try:
        with open(file, "wb", closefd=False) as whole:
            whole.write(message)
        os.lseek(file, 0, os.SEEK_SET)
        socket.send_fds(sock, [marshal.dumps((number,))], [file, *fds])
    finally:
        os.close(file)
