"""The lines that ``flux job attach`` writes about a job (CONTRACTS D14)."""

import json
from typing import Any, Final

from fluxcore.job.eventlog import Event
from fluxcore.job.output import Log, Redirect

#: What comes before a message of the shell, by its syslog level.
_LEVELS: Final = ("FATAL", "FATAL", "FATAL", "ERROR", " WARN", "", "DEBUG", "TRACE")


def event_line(event: Event, start: float, prefix: str) -> str:
    """An event: seconds since ``start``, its name, and its context as JSON."""
    context = ""
    if event.context is not None:
        context = " " + json.dumps(event.context, separators=(",", ":"), ensure_ascii=False)
    return f"{event.timestamp - start:.3f}s: {prefix}.{event.name}{context}\n"


def exception_line(event: Event, start: float, jobid: str) -> str:
    """An exception: when, of which job, its type, severity and note."""
    context = event.context or {}
    return (
        f"{event.timestamp - start:.3f}s: job.exception {jobid} type={context.get('type')}"
        f" severity={context.get('severity')} {context.get('note', '')}\n"
    )


def redirect_line(redirect: Redirect) -> str:
    """Where the output of some tasks has gone."""
    path = f" to {redirect.path}" if redirect.path else ""
    return f"{redirect.rank}: {redirect.stream} redirected{path}\n"


def log_text(log: Log, *, verbose: bool = False) -> str:
    """A message of the shell, with where it comes from; ``verbose`` adds the line of code."""
    head = f"flux-shell[{log.rank}]" if log.rank >= 0 else "flux-shell"
    level = _LEVELS[log.level] if 0 <= log.level < len(_LEVELS) else ""
    parts = [head, level, log.component or ""]
    if verbose and log.file:
        parts.append(f"{log.file}:{log.line}" if log.line else log.file)
    return ": ".join([part for part in [*parts, log.message] if part])


def exec_log_line(context: dict[str, Any], seconds: float) -> str:
    """What goes before a message that the exec system caught for a job."""
    names = f"{context.get('component')}[{context.get('rank')}]: {context.get('stream')}"
    return f"{seconds:.3f}s: {names}: "
