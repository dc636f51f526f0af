"""The wait status of a task or of a job's shell: as an exit code, and in words."""

import os
import signal


def exit_code(status: int) -> int:
    """A wait status as a shell gives it: the exit code, or 128 and the signal's number."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def shell_exit(status: int) -> tuple[int, str]:
    """The exit code that a job's wait status means, and what to say of it.

    A shell that was killed by signal N gives 128+N, like tasks that were; of success there is
    nothing to say. A mocked job may end with any number.
    """
    if not 0 <= status < 1 << 31:
        return 1, f"unexpected wait(2) status {status}"
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        return 128 + signum, f"job shell {signal_text(signum)}"
    if not os.WIFEXITED(status):
        return 1, f"unexpected wait(2) status {status}"
    code = os.WEXITSTATUS(status)
    if code > 128:  # the tasks were ended by a signal
        return code, f"task(s) {signal_text(code - 128)}"
    return code, f"task(s) exited with exit code {code}" if code else ""


def signal_text(signum: int) -> str:
    """A signal in words, as strsignal(3) has it."""
    try:
        return signal.strsignal(signum) or f"Unknown signal {signum}"
    except ValueError:
        return f"Unknown signal {signum}"
