"""Files that output is redirected to, and that input comes from (CONTRACTS D21)."""

import asyncio
import errno
import os
import stat

from fluxcore.shell.errors import ShellError, init_error
from fluxcore.shell.layout import Node
from fluxcore.shell.mustache import Names, is_per_node, render
from fluxcore.shell.options import OutputOptions, ShellOptions
from fluxcore.shell.output_file import OutputFile, OutputPipe, Pieces, Written


class OutputFiles:
    """The files of a job's output that this node writes: those of its own tasks, and on the
    leader's node those that tasks elsewhere share with them.

    ``own`` are the streams that go to another file on each node.

    :raises ShellError: a file cannot be opened
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: ShellOptions,
        node: Node,
        names: Names,
        cwd: str,
        written: Written,
    ) -> None:
        self._loop = loop
        self._written = written
        self._cwd = cwd
        self._by_path: dict[str, OutputFile | OutputPipe] = {}
        self._by_task: dict[tuple[str, int | None], OutputFile | OutputPipe] = {}
        self._redirected = {
            stream: how
            for stream, how in (("stdout", options.stdout), ("stderr", options.stderr))
            if how.path is not None
        }
        self.own = frozenset(
            stream for stream, how in self._redirected.items() if is_per_node(str(how.path), names)
        )
        try:
            self._open_all(node, names)
        except ShellError:
            self.close()
            raise

    def _open_all(self, node: Node, names: Names) -> None:
        for stream, how in self._redirected.items():
            if node.index > 0 and stream not in self.own:
                continue
            for index, taskid in enumerate(node.tasks):
                self._open(stream, index, how, names.of_task(taskid, index))
            if len(names.layout.nodes) > 1 and stream not in self.own:
                self._open(stream, None, how, names)

    def _open(self, stream: str, index: int | None, how: OutputOptions, names: Names) -> None:
        path = render(str(how.path), names)
        if path not in self._by_path:
            fd = _open_output(path, self._cwd, how.mode)
            kind = OutputFile if stat.S_ISREG(os.fstat(fd).st_mode) else OutputPipe
            self._by_path[path] = kind(self._loop, fd, how.label, self._written)
        self._by_task[stream, index] = self._by_path[path]

    def redirects(self, names: Names) -> dict[str, str]:
        """The path of each redirected stream as the job's redirect event shows it.

        What is another for each task or node stays a template.
        """
        job = names._replace(tmpdir=None, node=None, task=None)
        return {stream: render(str(how.path), job) for stream, how in self._redirected.items()}

    def write(self, stream: str, index: int | None, pieces: Pieces) -> None:
        """Write output of a local task, or of tasks elsewhere."""
        file = self._by_task.get((stream, index))
        if file is not None:
            file.write(pieces)

    @property
    def idle(self) -> bool:
        """True if all is written."""
        return all(file.idle for file in self._by_path.values())

    def give_up(self) -> None:
        """Drop what cannot be written now because nobody reads it."""
        for file in self._by_path.values():
            file.give_up()

    def close(self) -> None:
        """Close the files."""
        for file in self._by_path.values():
            file.close()


def _open_output(path: str, cwd: str, mode: str) -> int:
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
    flags |= {"append": os.O_APPEND, "truncate": os.O_TRUNC}.get(mode, 0)
    try:
        return os.open(os.path.join(cwd, path), flags, 0o666)
    except (OSError, ValueError) as exc:
        text = f"open: {path}: {_why(exc)}"
        raise init_error("output.task", text, "output") from None


def open_input(path: str, cwd: str) -> int:
    """Open a file for a task's stdin.

    :raises ShellError: it cannot be opened
    """
    try:
        return os.open(os.path.join(cwd, path), os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:
        text = f"error opening input file '{path}': {_why(exc)}"
        raise ShellError(text, component="input.file") from None


def _why(exc: OSError | ValueError) -> str:
    """Why a file could not be opened; a path that holds a NUL is no path."""
    errnum = exc.errno if isinstance(exc, OSError) else errno.EINVAL
    return os.strerror(errnum or errno.EIO)


def read_hostfile(path: str) -> str | None:
    """The text of a hostfile; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace", opener=_open_at_once) as file:
            return file.read()
    except (OSError, ValueError):
        return None


def _open_at_once(path: str, flags: int) -> int:
    """Open a file that is read on the loop: a FIFO that nobody writes to is an empty file."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
