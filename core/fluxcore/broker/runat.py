"""Commands run at turning points of a broker's life: rc1, rc2, cleanup, rc3 (A41, B17)."""

import asyncio
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import IO, Final

from fluxcore.broker.terminal import LentTerminal, lend
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO
from fluxcore.job.waitstatus import exit_code
from fluxcore.shell.child import Child

#: Output without a newline is logged in pieces of this size.
_LINE_MAX: Final = 65536
_ABORT_SIGNAL: Final = signal.SIGHUP

#: What must not leak from how the broker was started into what it runs.
_ENV_BLOCKLIST: Final = (
    "FLUX_PROXY_REMOTE",
    "FLUX_KVS_NAMESPACE",
    "FLUX_JOB_ID",
    "FLUX_JOB_SIZE",
    "FLUX_JOB_NNODES",
    "FLUX_JOB_TMPDIR",
    "FLUX_TASK_RANK",
    "FLUX_TASK_LOCAL_ID",
    "PMI_*",
    "PMIX_*",
    "FLUX_PMI_LIBRARY_PATH",
    "I_MPI_PMI_LIBRARY",
    "SLURM_*",
    "NOTIFY_SOCKET",
    "PALS_*",
)


@dataclass(slots=True)
class Command:
    """One command.

    ``log_output`` sends its standard output and error to the broker's log; ``foreground`` lets
    it have the terminal, if there is one.
    """

    argv: Sequence[str]
    log_output: bool = False
    own_group: bool = True
    foreground: bool = False

    @property
    def label(self) -> str:
        """The command as the log shows it: without the shell in front."""
        argv = self.argv
        if len(argv) > 2 and argv[0] == user_shell() and argv[1] == "-c":
            argv = argv[2:]
        return " ".join(argv)


@dataclass(slots=True)
class _Entry:
    commands: list[Command] = field(default_factory=list)
    index: int = 0
    exit_code: int = 0
    child: Child | None = None
    terminal: LentTerminal | None = None
    aborted: bool = False
    done: Callable[[int], None] | None = None


def user_shell() -> str:
    """The shell that runs command lines."""
    return os.environ.get("SHELL") or "/bin/bash"


def shell_command(line: str, *, log_output: bool = False) -> Command:
    """A command line, to be run by the user's shell."""
    return Command([user_shell(), "-c", line], log_output)


class RunAt:
    """Runs the commands of an entry in order; its code is the first that is not 0."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        log: Callable[[int, str], None],
        environ: Callable[[], dict[str, str]],
    ) -> None:
        self._loop = loop
        self._log = log
        self._environ = environ
        self._entries: dict[str, _Entry] = {}
        self._streams: set[IO[bytes]] = set()

    def defined(self, name: str) -> bool:
        """True if there is something to run at ``name``."""
        return bool(name in self._entries and self._entries[name].commands)

    def append(self, name: str, command: Command) -> None:
        """Run ``command`` at ``name``, after what is there."""
        self._entries.setdefault(name, _Entry()).commands.append(command)

    def push(self, name: str, commands: Sequence[Command]) -> None:
        """Run ``commands`` at ``name``, before what is there."""
        self._entries.setdefault(name, _Entry()).commands[:0] = commands

    def running(self, name: str) -> bool:
        """True while a command of ``name`` runs."""
        entry = self._entries.get(name)
        return entry is not None and entry.child is not None

    def start(self, name: str, done: Callable[[int], None]) -> None:
        """Run what is at ``name``; ``done`` is called with the exit code."""
        entry = self._entries.setdefault(name, _Entry())
        entry.done = done
        self._next(name, entry)

    def abort(self, name: str) -> None:
        """Hang up on the command that runs at ``name``; those after it do not run."""
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.aborted = True
        if entry.child is not None:
            entry.child.kill(_ABORT_SIGNAL)
            entry.child.kill(signal.SIGCONT)

    def environment(self) -> dict[str, str]:
        """The environment that commands are run in."""
        return {
            name: value
            for name, value in self._environ().items()
            if not any(fnmatchcase(name, pattern) for pattern in _ENV_BLOCKLIST)
        }

    def _next(self, name: str, entry: _Entry) -> None:
        while not entry.aborted and entry.index < len(entry.commands):
            command = entry.commands[entry.index]
            try:
                self._spawn(name, entry, command)
            except OSError as exc:
                code = 127 if isinstance(exc, FileNotFoundError) else 126
                self._finished(name, entry, command, code, exc.strerror or str(exc), 0.0)
                continue
            return
        done, entry.done = entry.done, None
        if done is not None:
            self._loop.call_soon(done, entry.exit_code)

    def _spawn(self, name: str, entry: _Entry, command: Command) -> None:
        started = time.monotonic()

        def exited(status: int) -> None:
            entry.child = None
            self._take_terminal_back(entry)
            code, how = exit_code(status), "Exited"
            if os.WIFSIGNALED(status):
                how = signal.strsignal(os.WTERMSIG(status)) or "killed"
            elif entry.aborted and not code:
                code, how = 1, "aborted after exit with rc=0"
            self._finished(name, entry, command, code, how, time.monotonic() - started)
            self._next(name, entry)

        pipe = subprocess.PIPE if command.log_output else None
        entry.child = Child(
            self._loop,
            command.argv,
            env=self.environment(),
            on_exit=exited,
            stdout=pipe,
            stderr=pipe,
            own_group=command.own_group,
        )
        if command.foreground and command.own_group:
            self._lend_terminal(entry)
        if command.log_output:
            self._log_stream(name, entry.index, entry.child.popen.stdout, LOG_INFO)
            self._log_stream(name, entry.index, entry.child.popen.stderr, LOG_ERR)

    def _lend_terminal(self, entry: _Entry) -> None:
        assert entry.child is not None
        try:
            entry.terminal = lend(entry.child.pid)
        except OSError as exc:
            self._log(LOG_DEBUG, f"the terminal is not lent: {exc.strerror}")

    def _take_terminal_back(self, entry: _Entry) -> None:
        terminal, entry.terminal = entry.terminal, None
        if terminal is not None:
            try:
                terminal.take_back()
            except OSError as exc:
                self._log(LOG_DEBUG, f"the terminal does not come back: {exc.strerror}")

    def _finished(
        self, name: str, entry: _Entry, command: Command, code: int, how: str, elapsed: float
    ) -> None:
        self._log(
            LOG_ERR if code else LOG_INFO,
            f"{name}.{entry.index}: {command.label} {how} (rc={code}) {elapsed:.1f}s",
        )
        entry.index += 1
        entry.exit_code = entry.exit_code or code

    def _log_stream(self, name: str, index: int, stream: IO[bytes] | None, level: int) -> None:
        assert stream is not None
        fd, rest = stream.fileno(), b""
        os.set_blocking(fd, False)

        def readable() -> None:
            nonlocal rest
            data = os.read(fd, 65536)
            *lines, rest = (rest + data).split(b"\n")
            if not data:
                self._close_stream(stream)
                lines = [rest] if rest else []
            elif len(rest) > _LINE_MAX:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._log(level, f"{name}.{index}: {line.decode(errors='replace')}")

        self._loop.add_reader(fd, readable)
        self._streams.add(stream)

    def _close_stream(self, stream: IO[bytes]) -> None:
        self._loop.remove_reader(stream.fileno())
        self._streams.discard(stream)
        stream.close()

    def close(self) -> None:
        """Read no more output: what a command has left running may hold it open."""
        for stream in list(self._streams):
            self._close_stream(stream)


def parse_push(lines: Sequence[object]) -> list[Command]:
    """The commands of a runat.push request.

    :raises OSError: EPROTO "commands array is empty", "cannot push an empty command line"
    """
    if not lines:
        raise rpc_error(errno.EPROTO, "commands array is empty")
    if not all(isinstance(line, str) and line for line in lines):
        raise rpc_error(errno.EPROTO, "cannot push an empty command line")
    return [shell_command(str(line), log_output=True) for line in lines]
