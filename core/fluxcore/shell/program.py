"""Starting a program: what the launcher does, one after the other (see launcher.py).

It is started by posix_spawn(3), so nothing of who starts it is copied. What it inherits that
posix_spawn cannot set (its directory, its processors) the launcher sets for itself first.
"""

import errno
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_SHELL: Final = "/bin/sh"

#: Signals that Python or the launcher ignores, or who started the broker in the background of a
#: script; programs expect them to be as usual.
RESTORED: Final = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


class Program(NamedTuple):
    """A program to start.

    ``fds`` are pairs of a descriptor here and its number there, in the order in which they get
    it; all others are closed on exec. It leads a process group, or with ``group`` is in the one
    that the first program of that number leads. ``cpus`` binds it to processors.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    fds: Sequence[tuple[int, int]]
    group: int | None = None
    cpus: frozenset[int] | None = None


class Starter:
    """Starts programs in place of a process that does nothing else."""

    def __init__(self) -> None:
        self._home = os.open(".", os.O_PATH | os.O_DIRECTORY)
        self._all = self._bound = frozenset(os.sched_getaffinity(0))
        #: The leader of each group that has a number.
        self._leaders: dict[int, int] = {}

    def start(self, program: Program) -> int:
        """Start ``program``; its process id.

        :raises OSError: it cannot be started
        :raises ValueError: a NUL, or what has no form in the file system's encoding
        """
        env = {name: value for name, value in program.env.items() if _may_be_set(name)}
        leader = 0 if program.group is None else self._leaders.get(program.group, 0)
        try:
            os.chdir(program.cwd)
            self._bind(self._all if program.cpus is None else program.cpus)
            pid = _search(program._replace(env=env, group=leader))
        finally:
            with suppress(OSError):
                os.fchdir(self._home)
        if program.group is not None and not leader:
            self._leaders[program.group] = pid
        return pid

    def forget(self, pid: int) -> None:
        """Reap process ``pid``, which has ended; the number of a group that it leads is free."""
        os.waitpid(pid, 0)
        for group in [group for group, leader in self._leaders.items() if leader == pid]:
            del self._leaders[group]

    def _bind(self, cpus: frozenset[int]) -> None:
        if cpus != self._bound:
            os.sched_setaffinity(0, cpus)
            self._bound = cpus


def _may_be_set(name: str) -> bool:
    return name != "" and "=" not in name


def _search(program: Program) -> int:
    """Start the first file that the program's name may mean, as execvp(3) does."""
    error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for path in _files(program):
        try:
            return _spawn(path, program.argv, program)
        except OSError as exc:
            if exc.errno == errno.ENOEXEC:
                return _spawn(_SHELL, [_SHELL, path, *program.argv[1:]], program)
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                raise
            if exc.errno == errno.EACCES or error.errno != errno.EACCES:
                error = exc
    raise error


def _files(program: Program) -> Iterator[str]:
    name = program.argv[0]
    if "/" in name:
        yield name
        return
    for folder in (program.env.get("PATH") or _DEFAULT_PATH).split(":"):
        path = os.path.join(folder or ".", name)
        # What is not there is not tried: a failed exec costs as much as one that succeeds.
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if not stat.S_ISDIR(mode):
            yield path


def _spawn(path: str, argv: Sequence[str], program: Program) -> int:
    for ours, theirs in program.fds:
        if ours == theirs:  # to copy it onto itself leaves it closed on exec, before glibc 2.29
            os.set_inheritable(ours, True)
    return os.posix_spawn(
        path,
        list(argv),
        program.env,
        file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in program.fds],
        setpgroup=program.group or 0,
        setsigmask=(),
        setsigdef=RESTORED,
    )
