"""Starting programs without holding up the broker's loop.

A program is started by vfork and exec, during which the thread that starts it stands still: most
of a millisecond, four times what else a short job costs here. Python's own ways (subprocess,
os.posix_spawn) keep the interpreter's lock all that time, so a thread would not help. libc's
posix_spawn, called through ctypes, does not: one thread starts programs one after the other, and
the loop goes on. Where libc cannot change the directory for the child (glibc before 2.29) the
thread uses subprocess, which is the same to callers but slower.
"""

import asyncio
import ctypes
import errno
import os
import queue
import signal
import stat
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

#: What is told of a start: the process id, or why there is none.
Started = Callable[[int | OSError], None]

_SETPGROUP: Final = 0x02
_SETSIGDEF: Final = 0x04
_SETSIGMASK: Final = 0x08
#: Room for libc's opaque structures, whose sizes differ between systems.
_OPAQUE: Final = 1024
_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_SHELL: Final = "/bin/sh"

#: Signals that Python ignores, or who started the broker in the background of a script; programs
#: expect them to be as usual.
_RESTORED: Final = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start.

    ``fds`` are pairs of a descriptor here and its number there; all others are closed on exec.
    With ``own_group`` it leads a process group. ``cpus`` binds it to processors.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    fds: Sequence[tuple[int, int]]
    own_group: bool = True
    cpus: frozenset[int] | None = None


class Spawner:
    """Starts programs in a thread of its own, in the order they were asked for.

    The thread begins with the first program and ends with :meth:`close`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wanted: queue.SimpleQueue[tuple[Program, Started] | None] = queue.SimpleQueue()
        self._started: deque[tuple[Started, int | OSError]] = deque()
        self._thread: threading.Thread | None = None

    def start(self, program: Program, started: Started) -> None:
        """Start ``program`` soon; ``started`` is then called on the loop.

        The descriptors must stay open until it is.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spawner", daemon=True)
            self._thread.start()
        self._wanted.put((program, started))

    def close(self) -> None:
        """End the thread, once it has started what was asked for."""
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
            self._thread = None
            self._tell()

    def _run(self) -> None:
        _keep_descriptors()
        start = _starter()
        while (wanted := self._wanted.get()) is not None:
            program, started = wanted
            try:
                result: int | OSError = _start(program, start)
            except OSError as exc:
                result = exc
            except ValueError as exc:  # a NUL, or what has no form in the file system's encoding
                result = OSError(errno.EINVAL, str(exc))
            except Exception as exc:  # noqa: BLE001 - told, and the thread goes on for others
                result = OSError(errno.EIO, f"cannot start a program: {exc!r}")
            self._started.append((started, result))
            if len(self._started) == 1:  # else the loop has been told and not come to it yet
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        try:
            while self._started:
                started, result = self._started.popleft()
                started(result)
        finally:
            if self._started:  # one of them has raised; the others are still to be told
                self._loop.call_soon(self._tell)


def _keep_descriptors() -> None:
    """Let no descriptor get through that this process has been started with.

    All that it has opened itself is closed on exec already.
    """
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            with suppress(OSError):  # the descriptor of the listing itself is closed again
                os.set_inheritable(int(name), False)


#: Starts the program whose file is the first argument; its process id.
_Starter = Callable[[str, Sequence[str], Program], int]


def _start(program: Program, start: _Starter) -> int:
    bound = program.cpus if hasattr(os, "sched_setaffinity") else None
    if bound is None:
        return _search(program, start)
    # A thread has an affinity of its own, and what it starts inherits that.
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, bound)
    try:
        return _search(program, start)
    finally:
        os.sched_setaffinity(0, before)


def _search(program: Program, start: _Starter) -> int:
    """Start the first file that the program's name may mean, as execvp(3) does."""
    error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for path in _files(program):
        try:
            return start(path, program.argv, program)
        except OSError as exc:
            if exc.errno == errno.ENOEXEC:
                return start(_SHELL, [_SHELL, path, *program.argv[1:]], program)
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
            mode = os.stat(os.path.join(program.cwd, path)).st_mode
        except OSError:
            continue
        if not stat.S_ISDIR(mode):
            yield path


# -- by libc --------------------------------------------------------------------------------


def _starter() -> _Starter:
    """How programs are started on this system."""
    if hasattr(ctypes.PyDLL(None), "posix_spawn_file_actions_addchdir_np"):
        return _PosixSpawn()
    return _by_subprocess


class _PosixSpawn:
    """posix_spawn(3), with the attributes that every program gets.

    Only the call that takes long is made without the interpreter's lock: to get it back from a
    busy loop costs more than all of the others.
    """

    def __init__(self) -> None:
        self._libc = ctypes.PyDLL(None)
        self._spawn = ctypes.CDLL(None).posix_spawn
        self._grouped = self._attributes(_SETPGROUP)
        self._ungrouped = self._attributes(0)

    def _attributes(self, group: int) -> Any:
        libc = self._libc
        attributes, mask = _opaque(), _opaque()
        libc.posix_spawnattr_init(attributes)
        libc.posix_spawnattr_setflags(attributes, ctypes.c_short(group | _SETSIGDEF | _SETSIGMASK))
        libc.posix_spawnattr_setpgroup(attributes, 0)
        libc.sigemptyset(mask)
        libc.posix_spawnattr_setsigmask(attributes, mask)
        for signum in _RESTORED:
            libc.sigaddset(mask, int(signum))
        libc.posix_spawnattr_setsigdefault(attributes, mask)
        return attributes

    def __call__(self, path: str, argv: Sequence[str], program: Program) -> int:
        libc, actions = self._libc, _opaque()
        libc.posix_spawn_file_actions_init(actions)
        try:
            for ours, theirs in program.fds:
                # The same number on both sides clears the close-on-exec flag.
                libc.posix_spawn_file_actions_adddup2(actions, ours, theirs)
            libc.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(program.cwd))
            pid = ctypes.c_int()
            errnum = self._spawn(
                ctypes.byref(pid),
                os.fsencode(path),
                actions,
                self._grouped if program.own_group else self._ungrouped,
                _strings(argv),
                _strings([f"{name}={value}" for name, value in program.env.items()]),
            )
        finally:
            libc.posix_spawn_file_actions_destroy(actions)
        if errnum:
            raise OSError(errnum, os.strerror(errnum))
        return pid.value


def _opaque() -> Any:
    return ctypes.create_string_buffer(_OPAQUE)


def _strings(texts: Sequence[str]) -> Any:
    encoded = [os.fsencode(text) for text in texts]
    if any(b"\0" in text for text in encoded):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


# -- by subprocess --------------------------------------------------------------------------


def _by_subprocess(path: str, argv: Sequence[str], program: Program) -> int:
    numbers = {theirs: ours for ours, theirs in program.fds}
    child = subprocess.Popen(
        argv,
        executable=path,
        env=program.env,
        cwd=program.cwd,
        stdin=numbers.get(0),
        stdout=numbers.get(1),
        stderr=numbers.get(2),
        pass_fds=[fd for fd in numbers if fd > 2],
        process_group=0 if program.own_group else None,
    )
    child.returncode = 0  # somebody else waits for it
    return child.pid
