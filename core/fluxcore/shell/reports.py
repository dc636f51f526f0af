"""What shells say of themselves, as the execution service has it reported (CONTRACTS D21)."""

import os
from typing import Any

from fluxcore.job.waitstatus import exit_code
from fluxcore.shell.errors import Complaint, ShellError


def log_report(index: int, complaint: Complaint) -> dict[str, Any]:
    """The context of the log event (RFC 24) that a complaint of shell number ``index`` is."""
    report = {"rank": index, "level": complaint.level, "message": complaint.message}
    if complaint.component is not None:
        report["component"] = complaint.component
    return report


def fatal_report(index: int, error: ShellError) -> dict[str, Any]:
    """The report that a job cannot go on, from its shell number ``index``."""
    report: dict[str, Any] = {"rank": index, "message": error.text, "code": error.code}
    if error.component is not None:
        report["component"] = error.component
    return report


def exit_report(index: int, taskid: int, pid: int, status: int) -> dict[str, Any]:
    """The context of the event shell.task-exit: local task ``index`` ended with a wait status."""
    return {
        "localid": index,
        "rank": taskid,
        "state": "Exited",
        "pid": pid,
        "wait_status": status,
        "signaled": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "exitcode": exit_code(status),
    }
