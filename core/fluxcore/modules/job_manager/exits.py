"""How a job has ended, in words (CONTRACTS D8)."""

import os
import signal

from fluxcore.modules.job_manager.job import Job


def describe_end(job: Job) -> tuple[bool, str]:
    """True if ``job``, which is inactive, was a success; else False and why not."""
    end = job.end or {"name": ""}
    context = end.get("context", {})
    if end["name"] == "exception":
        return False, f"Fatal exception type={context['type']} {context.get('note', '')}"
    why = describe_status(context.get("status", 0))
    return not why, why


def describe_status(status: int) -> str:
    """What a wait(2) status says, in words; empty for success."""
    if os.WIFSIGNALED(status):
        return f"job shell {signal.strsignal(os.WTERMSIG(status))}"
    if not os.WIFEXITED(status):
        return f"unexpected wait(2) status {status}"
    code = os.WEXITSTATUS(status)
    if code > 128:  # the tasks were ended by a signal
        return f"task(s) {signal.strsignal(code - 128)}"
    return f"task(s) exited with exit code {code}" if code else ""
