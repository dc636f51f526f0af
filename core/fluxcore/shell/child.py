"""A child process on the loop: started without forking the broker's memory, reaped by pidfd."""

import asyncio
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

#: What may be given for a standard stream: a file, a descriptor, subprocess.PIPE or DEVNULL;
#: None leaves it as the broker's own.
Stdio = IO[Any] | int | None


class Child:
    """A running process.

    ``on_exit`` is called on the loop with its wait status (see os.waitstatus_to_exitcode) once
    it has ended. With ``own_group`` it leads a process group of its own, and signals go to all
    of the group.

    :raises OSError: the program cannot be started
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        on_exit: Callable[[int], None],
        cwd: str | None = None,
        stdin: Stdio = None,
        stdout: Stdio = None,
        stderr: Stdio = None,
        pass_fds: Sequence[int] = (),
        own_group: bool = True,
    ) -> None:
        self._own_group = own_group
        self._on_exit = on_exit
        self.status: int | None = None
        # Popen starts the child by vfork and exec: nothing of a large broker is copied, and an
        # exec that fails is raised here.
        try:
            self.popen = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                process_group=0 if own_group else None,
                restore_signals=True,
            )
        except ValueError as exc:  # a NUL
            raise OSError(errno.EINVAL, str(exc)) from None
        self.pid = self.popen.pid
        watch_exit(loop, self.pid, self._exited)

    def _exited(self, status: int) -> None:
        self.status = status
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        self._on_exit(status)

    def kill(self, signum: int = signal.SIGTERM) -> None:
        """Send a signal to the process, or to its group; nothing happens once it has ended."""
        if self.status is not None:
            return
        try:
            if self._own_group:
                os.killpg(self.pid, signum)
            else:
                os.kill(self.pid, signum)
        except ProcessLookupError:
            pass


def watch_exit(loop: asyncio.AbstractEventLoop, pid: int, callback: Callable[[int], None]) -> None:
    """Call ``callback`` on the loop with the wait status of our child ``pid`` once it ends."""

    def reap() -> None:
        callback(os.waitpid(pid, 0)[1])

    try:
        pidfd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        _watch_in_thread(loop, pid, reap)
        return

    def ready() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        reap()

    loop.add_reader(pidfd, ready)


def _watch_in_thread(loop: asyncio.AbstractEventLoop, pid: int, ended: Callable[[], None]) -> None:
    """For systems without pidfds: a thread that waits, and leaves the child a zombie."""

    def wait() -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed, and nobody asks any more
            loop.call_soon_threadsafe(ended)

    threading.Thread(target=wait, name=f"wait-{pid}", daemon=True).start()
