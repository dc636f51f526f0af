"""What an attachment asks for, and what its user has asked for."""

from collections.abc import Mapping
from typing import Any, Protocol

from fluxcore.resource.idset import IdSet


class Effects(Protocol):
    """What an attachment asks for."""

    def write(self, stream: str, data: bytes) -> None:
        """Write to our "stdout" or "stderr"."""

    def watch(self, log: str) -> None:
        """Begin to watch a log."""

    def unwatch(self, log: str) -> None:
        """Ask for the end of a log's events."""

    def send_input(self, service: str, rank: int, payload: Mapping[str, Any]) -> None:
        """Send input to the job's shell at ``rank``."""

    def read_input(self, reading: bool) -> None:
        """Begin to read our stdin, or stop."""

    def kill(self, signum: int) -> None:
        """Send the job a signal."""

    def cancel(self, note: str) -> None:
        """Cancel the job."""


class Settings:
    """What the user wants to see, and to send."""

    __slots__ = (
        "input_ranks",
        "label",
        "quiet",
        "read_only",
        "show_events",
        "show_exec",
        "tail",
        "verbose",
        "wait_event",
    )

    def __init__(
        self,
        *,
        show_events: bool = False,
        show_exec: bool = False,
        wait_event: str = "clean",
        label: bool = False,
        verbose: bool = False,
        quiet: bool = False,
        read_only: bool = False,
        input_ranks: IdSet | None = None,
        tail: int | None = None,
    ) -> None:
        self.show_events = show_events
        self.show_exec = show_exec
        self.wait_event = wait_event
        self.label = label
        self.verbose = verbose
        self.quiet = quiet
        self.read_only = read_only
        self.input_ranks = input_ranks
        self.tail = tail
