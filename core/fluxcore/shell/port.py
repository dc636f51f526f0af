"""What a shell does to the world (CONTRACTS D21)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ShellPort(Protocol):
    """What a shell does to the world; tasks by their number on the node."""

    def report(self, kind: str, what: Mapping[str, Any]) -> None:
        """Tell the execution service, after what it has been told before."""

    def write_file(
        self, stream: str, index: int | None, pieces: Sequence[tuple[str, bytes]]
    ) -> None:
        """Write output, each piece with its task's rank, to the file of a stream.

        It is the file of local task ``index``, or with None the one that tasks elsewhere share.
        """

    def kill(self, index: int, signum: int) -> None:
        """Send a signal to a task."""

    def write(self, index: int, data: bytes, eof: bool) -> int:
        """Give a task input; how many bytes it has not read."""

    def answer_pmi(self, index: int, data: bytes) -> None:
        """Answer a task's PMI client."""

    def hold(self, held: bool) -> None:
        """Stop reading the tasks' output, or go on."""

    def abandon(self, index: int) -> None:
        """Wait no more for the end of a task's output; it is told as ended at once."""

    def finished(self, status: int) -> None:
        """All is over; ``status`` is that of the shell."""
