"""The launcher: a small process that starts the tasks of a broker and sees them end.

A program is started by vfork and exec, during which who starts it stands still: most of a
millisecond, four times what else a short job costs. In a thread of the broker that would take
the interpreter's lock away from its loop again and again; and a task could do harm to a broker
that is its parent.

The broker (see spawn.py) has the other end of a socket that keeps messages apart. It sends, each
as marshal writes it:

=======================  ====================================================================
``(number, *Program)``   start it; the descriptors of ``fds`` come along, in their order
``(number,)``            that, but too long for a message: it is in a file that comes first
``pid``                  a task that has ended is to be forgotten; until then it is kept as a
                         zombie, so that its id stays its own
=======================  ====================================================================

What comes back is :data:`REPLY`: a kind and two numbers. The launcher ends with the broker.
"""

import errno
import marshal
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from fluxcore.shell.program import RESTORED, Program, Starter

#: What the launcher says: a kind, and two numbers that depend on it.
REPLY: Final = struct.Struct("=BIi")
#: The program of that number runs as that process.
STARTED: Final = 1
#: The program of that number cannot be started: an errno.
FAILED: Final = 2
#: The process has ended, with that wait status.
ENDED: Final = 3

#: Bytes of a message at most; longer ones go through a file.
MESSAGE_MAX: Final = 1 << 16
#: Descriptors that may come with a message.
FDS_MAX: Final = 16
#: Descriptors from this one on are the launcher's; those below are the standard streams.
_FIRST_FD: Final = 3


class Launcher:
    """Serves the broker at the other end of ``sock`` until that is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._starter = Starter()
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ, self._receive)
        self._watcher = (_by_pidfd if _pidfds_work() else _by_signal)(self._selector)
        self._going_on = True

    def run(self) -> None:
        """Do what comes until nothing can come any more."""
        while self._going_on:
            for key, _ in self._selector.select():
                key.data()

    def _receive(self) -> None:
        try:
            data, fds = _next_message(self._sock)
        except ConnectionError:
            data, fds = b"", ()
        try:
            if not data:
                self._going_on = False
                return
            message = marshal.loads(data)  # noqa: S302 - from our own broker, here and below
            if isinstance(message, int):
                self._starter.forget(message)
            else:
                self._start(message, fds)
        finally:
            for fd in fds:
                os.close(fd)

    def _start(self, message: tuple[Any, ...], fds: Sequence[int]) -> None:
        number = message[0]
        try:
            pid = self._starter.start(_program(message, fds))
            self._watch(pid)
        except OSError as exc:
            self._tell(FAILED, number, exc.errno or errno.EIO)
        except ValueError:
            self._tell(FAILED, number, errno.EINVAL)
        except Exception:  # noqa: BLE001 - told, and the launcher goes on for others
            sys.excepthook(*sys.exc_info())
            self._tell(FAILED, number, errno.EIO)
        else:
            self._tell(STARTED, number, pid)

    def _watch(self, pid: int) -> None:
        try:
            self._watcher(pid, self._ended)
        except OSError:  # no more descriptors
            os.kill(pid, signal.SIGKILL)
            self._starter.forget(pid)
            raise

    def _ended(self, pid: int) -> None:
        self._tell(ENDED, pid, _peek(pid))

    def _tell(self, kind: int, first: int, second: int) -> None:
        try:
            self._sock.send(REPLY.pack(kind, first, second))
        except ConnectionError:
            self._going_on = False


def _next_message(sock: socket.socket) -> tuple[bytes, Sequence[int]]:
    """A message and the descriptors that come with it, which no program inherits."""
    # Not socket.recv_fds(), which leaves the flags away until Python 3.12.
    room = socket.CMSG_SPACE(FDS_MAX * struct.calcsize("i"))
    data, ancillary, _, _ = sock.recvmsg(MESSAGE_MAX, room, socket.MSG_CMSG_CLOEXEC)
    return data, [fd for _, _, text in ancillary for (fd,) in struct.iter_unpack("i", text)]


def _program(message: tuple[Any, ...], fds: Sequence[int]) -> Program:
    """The program in ``message``, with descriptors as they are here."""
    if len(message) == 1 and fds:
        file, *fds = fds
        with open(file, "rb", closefd=False) as whole:
            message = marshal.load(whole)  # noqa: S302
    program = Program(*message[1:]) if len(message) > 1 else None
    if program is None or len(fds) != len(program.fds):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return program._replace(fds=[(fd, to) for fd, (_, to) in zip(fds, program.fds, strict=True)])


def _peek(pid: int) -> int:
    """The wait status of our child ``pid``, which has ended and is not reaped by this."""
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert end is not None
    if end.si_code == os.CLD_EXITED:
        return int(end.si_status) << 8
    dumped = 0x80 if end.si_code == os.CLD_DUMPED else 0
    return int(end.si_status) | dumped


# -- how it sees them end ------------------------------------------------------------------

#: Calls the function with the process id of our child once that has ended.
_Watcher = Callable[[int, Callable[[int], None]], None]


def _pidfds_work() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _by_pidfd(selector: selectors.BaseSelector) -> _Watcher:
    def watch(pid: int, ended: Callable[[int], None]) -> None:
        pidfd = os.pidfd_open(pid)

        def ready() -> None:
            selector.unregister(pidfd)
            os.close(pidfd)
            ended(pid)

        try:
            selector.register(pidfd, selectors.EVENT_READ, ready)
        except OSError:
            os.close(pidfd)
            raise

    return watch


def _by_signal(selector: selectors.BaseSelector) -> _Watcher:
    """For Linux before 5.3, without pidfds: at each SIGCHLD all children are looked at."""
    running: dict[int, Callable[[int], None]] = {}
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def look() -> None:
        os.read(reading, MESSAGE_MAX)
        for pid, ended in list(running.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                del running[pid]
                ended(pid)

    def watch(pid: int, ended: Callable[[int], None]) -> None:
        running[pid] = ended
        os.write(writing, b"\0")  # it may have ended already

    selector.register(reading, selectors.EVENT_READ, look)
    return watch


# -- the process ---------------------------------------------------------------------------


def command(fd: int) -> list[str]:
    """The command that runs a launcher whose end of the socket is its descriptor ``fd``.

    Of Python's environment it has only what it needs: it is up in a few milliseconds.
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = f"import sys; sys.path.append({root!r}); from {__name__} import main; main({fd})"
    options = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable, *options, "-c", code]


def main(fd: int) -> None:
    """Be the launcher at descriptor ``fd`` until the broker is gone."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    while (reserved := os.open(os.devnull, os.O_RDWR)) < _FIRST_FD:
        pass
    os.close(reserved)
    for signum in RESTORED:
        signal.signal(signum, signal.SIG_IGN)
    Launcher(sock).run()
    os._exit(0)
