"""Opening the files of a job, which may take for ever.

A FIFO waits for somebody at its other end, a file server may hang. Neither may hold up the broker,
nor the threads that write other jobs' output: each job's files are opened by a thread of its own.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fluxcore.shell.errors import ShellError
from fluxcore.shell.files import OutputFiles, open_input
from fluxcore.shell.layout import Node
from fluxcore.shell.options import ShellOptions
from fluxcore.shell.output_file import Written
from fluxcore.shell.place import Place


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """What is open for the tasks of a job on a node; ``inputs`` has a descriptor for each task's
    stdin, or none at all if they have pipes.
    """

    outputs: OutputFiles
    inputs: list[int]

    def close(self) -> None:
        """Close all."""
        self.outputs.close()
        close_inputs(self.inputs)


def close_inputs(inputs: list[int]) -> None:
    """Close the descriptors that no task has taken."""
    while inputs:
        os.close(inputs.pop())


def needs_files(options: ShellOptions) -> bool:
    """True if there is a file to open."""
    paths = (options.input_path, options.stdout.path, options.stderr.path)
    return any(path is not None for path in paths)


def open_files(
    loop: asyncio.AbstractEventLoop,
    options: ShellOptions,
    node: Node,
    place: Place,
    written: Written,
) -> OpenFiles:
    """Open the files of a job on a node; ``written`` is told of what has been written to them.

    :raises ShellError: one cannot be opened
    """
    outputs = OutputFiles(loop, options, node, place.names, place.cwd, written)
    files = OpenFiles(outputs, [])
    try:
        if options.input_path is not None:
            for _task in node.tasks:
                files.inputs.append(open_input(options.input_path, place.cwd))
    except ShellError:
        files.close()
        raise
    return files


class Opening:
    """Has ``work`` done by a thread; ``done`` is then told on the loop what has come of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Callable[[], OpenFiles],
        done: Callable[[OpenFiles | ShellError], None],
    ) -> None:
        self._loop = loop
        self._work = work
        self._done = done
        self._wanted = True
        # A daemon: one that waits for ever must not keep the broker from its end.
        threading.Thread(target=self._run, name="open", daemon=True).start()

    def _run(self) -> None:
        try:
            result: OpenFiles | ShellError = self._work()
        except ShellError as exc:
            result = exc
        except Exception as exc:  # noqa: BLE001 - the job must not wait for ever
            result = ShellError(f"internal error: {type(exc).__name__}: {exc}")
        with suppress(RuntimeError):  # the loop may have ended by now
            self._loop.call_soon_threadsafe(self._tell, result)

    def _tell(self, result: OpenFiles | ShellError) -> None:
        if self._wanted:
            self._done(result)
        elif isinstance(result, OpenFiles):
            result.close()

    def abandon(self) -> None:
        """Tell nobody, and close what is opened after all."""
        self._wanted = False
