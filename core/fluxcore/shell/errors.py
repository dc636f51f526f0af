"""What makes a shell give up before or while its tasks run (CONTRACTS D21)."""

import errno
import os
from dataclasses import dataclass
from typing import Final

#: Levels of a shell's messages in guest.output (RFC 24), as flux-core's shell has them.
FATAL: Final = 0
ERROR: Final = 3
WARN: Final = 4
NOTICE: Final = 5
DEBUG: Final = 6


@dataclass(frozen=True, slots=True)
class Complaint:
    """A message of the shell itself: a log event of guest.output."""

    level: int
    message: str
    component: str | None = None


class ShellError(OSError):
    """The job cannot go on: it gets a fatal exception of type exec with this text.

    ``code`` is what the shell exits with. ``complaints`` are said first.
    """

    def __init__(
        self,
        text: str,
        *,
        code: int = 1,
        component: str | None = None,
        complaints: tuple[Complaint, ...] = (),
    ) -> None:
        super().__init__(errno.EINVAL, text)
        self.code = code
        self.component = component
        self.complaints = complaints

    @property
    def text(self) -> str:
        """Why, in words."""
        return self.strerror or ""


def init_error(component: str, message: str, plugin: str) -> ShellError:
    """The error of a part of the shell that cannot begin, in flux-core's three lines."""
    complaints = (
        Complaint(ERROR, message, component),
        Complaint(ERROR, f"plugin '{plugin}': shell.init failed"),
    )
    return ShellError(f"shell_init: {os.strerror(errno.ENOENT)}", complaints=complaints)


def start_error(task: int, host: str, program: str, errnum: int) -> ShellError:
    """The error of a task that cannot be started; its code is as a shell's."""
    code = {errno.ENOENT: 127, errno.EACCES: 126, errno.EPERM: 126}.get(errnum, 1)
    text = f"task {task} (host {host}): start failed: {program}: {os.strerror(errnum)}"
    return ShellError(text, code=code)
