"""The first task of a job that ends, and what that means for the others (CONTRACTS D21).

If they have not ended too after the exit timeout, the job fails; with exit-on-error it fails at
once if the first one has.
"""

import os
import signal
from collections.abc import Sequence

from fluxcore.job.fsd import format_fsd
from fluxcore.job.taskmap import Taskmap
from fluxcore.job.waitstatus import exit_code


class FirstExit:
    """A task, or with ``status`` None a shell whose node is lost."""

    def __init__(self, rank: int, status: int | None) -> None:
        self.rank = rank
        self.status = status

    @property
    def failed(self) -> bool:
        """True if it has not ended well."""
        return self.status != 0

    @property
    def shell_status(self) -> int | None:
        """The wait status of a shell that exits as the task has; None if that is not known."""
        return None if self.status is None else shell_status(self.status)

    def on_error(self, program: str, hosts: Sequence[str], taskmap: Taskmap) -> str:
        """Why the job fails at once; ``hosts`` are those of its nodes."""
        name = self._name(program, hosts, taskmap)
        return f"{name} failed{self._how()} and exit-on-error is set"

    def timed_out(
        self, timeout: float, program: str, hosts: Sequence[str], taskmap: Taskmap
    ) -> str:
        """Why the job fails after ``timeout`` seconds."""
        name = self._name(program, hosts, taskmap)
        return f"{name} exited{self._how()} and exit-timeout={format_fsd(timeout)} has expired"

    def _name(self, program: str, hosts: Sequence[str], taskmap: Taskmap) -> str:
        base = os.path.basename(program)
        if self.status is None:
            return f"{base}: shell rank {self.rank} on host {hosts[self.rank]}"
        if self.rank >= taskmap.ntasks:  # the leader was lost before it said where tasks are
            return f"{base}: task rank {self.rank}"
        return f"{base}: task rank {self.rank} on host {hosts[taskmap.nodeid(self.rank)]}"

    def _how(self) -> str:
        if self.status is None:
            return ""
        if os.WIFSIGNALED(self.status):
            return f" ({signal.strsignal(os.WTERMSIG(self.status))})"
        return f" (Exit {os.WEXITSTATUS(self.status)})"


def shell_status(wait_status: int) -> int:
    """The wait status of a shell that exits with what a task's wait status comes to.

    Whoever raises an exception may name any number; one that is no end of a process counts as a
    failure.
    """
    try:
        return exit_code(wait_status) << 8
    except (ValueError, OverflowError):
        return 1 << 8
