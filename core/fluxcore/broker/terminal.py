"""The terminal that a broker was started on, lent to its initial program (CONTRACTS B17).

The initial program leads a process group of its own, so that it can be hung up on as a whole. To
read from the terminal that group must be in the foreground; when it has ended, the group that was
there before is again, and the terminal is as it was.
"""

import os
import signal
import termios
from typing import Any, Final

_STDIN: Final = 0


class LentTerminal:
    """The terminal, lent to a process group."""

    def __init__(self, group: int, holder: int) -> None:
        self._holder = holder
        self._settings: list[Any] = termios.tcgetattr(_STDIN)
        os.tcsetpgrp(_STDIN, group)
        # It may have tried to read already, and been stopped for that.
        os.killpg(group, signal.SIGCONT)

    def take_back(self) -> None:
        """Give the terminal back to those who had it.

        :raises OSError: they are gone, or the terminal is
        """
        os.tcsetpgrp(_STDIN, self._holder)
        try:
            termios.tcsetattr(_STDIN, termios.TCSAFLUSH, self._settings)
        except termios.error as exc:
            raise OSError(*exc.args) from None


def lend(group: int) -> LentTerminal | None:
    """Put ``group`` into the foreground; None if there is no terminal, or it is not ours to lend.

    It is if we are in the foreground ourselves, or if who started us is (``flux start``, whose
    brokers have process groups of their own).

    :raises OSError: the group has ended already
    """
    if not os.isatty(_STDIN):
        return None
    holder = os.tcgetpgrp(_STDIN)
    if holder not in (os.getpgrp(), os.getpgid(os.getppid())):
        return None
    return LentTerminal(group, holder)
