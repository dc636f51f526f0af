"""Starting a program: what the launcher does, one after the other (see launcher.py).

It is started by posix_spawn(3), so nothing of who starts it is copied. What it inherits that
posix_spawn cannot set (its directory, its processors) the launcher sets for itself first: it has
no use for them of its own.
"""

import errno
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

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
)


class Program(NamedTuple):
    """A program to start.

    ``fds`` are pairs of a descriptor here and its number there; all others are closed on exec.
    A number above 2 must not be that of another pair's descriptor in the launcher, which has
    none below 4 to give. With ``own_group`` it leads a process group. ``cpus`` binds it to
    processors.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    fds: Sequence[tuple[int, int]]
    own_group: bool = True
    cpus: frozenset[int] | None = None


class Starter:
    """Starts programs in place of a process that does nothing else."""

    def __init__(self) -> None:
        self._bindable = hasattr(os, "sched_setaffinity")
        self._all = frozenset(os.sched_getaffinity(0)) if self._bindable else frozenset()
        self._bound = self._all

    def start(self, program: Program) -> int:
        """Start ``program``; its process id.

        :raises OSError: it cannot be started
        :raises ValueError: a NUL, or what has no form in the file system's encoding
        """
        os.chdir(program.cwd)
        if self._bindable:
            self._bind(self._all if program.cpus is None else program.cpus)
        env = {name: value for name, value in program.env.items() if _may_be_set(name)}
        return _search(program._replace(env=env))

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
    raise OSError(error.errno or errno.ENOENT, os.strerror(error.errno or errno.ENOENT))


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
    how: dict[str, Any] = {"setpgroup": 0} if program.own_group else {}
    return os.posix_spawn(
        path,
        list(argv),
        program.env,
        file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in program.fds],
        setsigmask=(),
        setsigdef=RESTORED,
        **how,
    )
