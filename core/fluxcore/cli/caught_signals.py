"""Signals for a program that waits for several things."""

import os
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any


class CaughtSignals:
    """Signals as bytes on a pipe, so that they are taken when nothing else is under way."""

    def __init__(self, signums: Iterable[signal.Signals]) -> None:
        self._signums = tuple(signums)
        self._old: dict[signal.Signals, Any] = {}
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_fd = -1

    def fileno(self) -> int:
        """What to wait for."""
        return self._read

    def take(self) -> bytes:
        """The signals that have come, in order."""
        return os.read(self._read, 64)

    def catch(self, signum: signal.Signals) -> None:
        """Catch one more."""
        if signum not in self._old:
            self._old[signum] = signal.signal(signum, _noted)

    def release(self, signum: signal.Signals) -> None:
        """Let one be what it was."""
        signal.signal(signum, self._old.pop(signum))

    def __enter__(self) -> "CaughtSignals":
        self._old_fd = signal.set_wakeup_fd(self._write)
        for signum in self._signums:
            self.catch(signum)
        return self

    def __exit__(self, *_exc: object) -> None:
        for signum in list(self._old):
            self.release(signum)
        signal.set_wakeup_fd(self._old_fd)
        os.close(self._read)
        os.close(self._write)


def _noted(_signum: int, _frame: FrameType | None) -> None:
    """Do nothing: the wakeup pipe has it."""
