"""How a job has ended, in words (CONTRACTS D8)."""

from fluxcore.job.waitstatus import shell_exit
from fluxcore.modules.job_manager.job import Job


def describe_end(job: Job) -> tuple[bool, str]:
    """True if ``job``, which is inactive, was a success; else False and why not."""
    end = job.end or {"name": ""}
    context = end.get("context", {})
    if end["name"] == "exception":
        return False, f"Fatal exception type={context['type']} {context.get('note', '')}"
    _code, why = shell_exit(context.get("status", 0))
    return not why, why
