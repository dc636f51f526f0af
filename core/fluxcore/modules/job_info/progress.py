"""How far a job is with what it writes, as its eventlog says.

A job's first records are gathered for a moment after it has started. flux-core's jobs have
written theirs by then; so whoever looks for them here waits for them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.job.eventlog import Event, decode_log
from fluxcore.modules.job_info.kvs_events import WAITCREATE, KvsEvents

#: The log that every job has. What was gathered with its first records is there when it is.
_FIRST: Final = "exec.eventlog"


def progress(events: Iterable[Event]) -> str:
    """How far a job is with its guest's namespace: not started, started, or released."""
    started = "not started"
    for event in events:
        if is_final_release(event):
            return "released"
        if event.name == "start":
            started = "started"
    return started


def is_final_release(event: Event) -> bool:
    """True if a job has given up all it had with this event."""
    return event.name == "release" and (event.context or {}).get("final") is True


def runs(eventlog: bytes | OSError) -> bool:
    """True if a job with this eventlog, if there is one, has started and is not released."""
    try:
        return not isinstance(eventlog, OSError) and progress(decode_log(eventlog)) == "started"
    except ValueError:
        return False


def await_records(flux: Flux, jobid: int, then: Callable[[bool], None]) -> None:
    """Call ``then`` when job ``jobid`` has written its first records: whether it still runs."""

    def written(_data: bytes | None) -> None:
        records.stop()
        then(True)

    def over(_error: OSError) -> None:
        then(False)

    records = KvsEvents(flux, f"job-{jobid}", _FIRST, WAITCREATE, written, over)
    records.start()
