"""``flux cancel`` (CONTRACTS D24)."""

import os
import sys
from typing import Any, Final

from fluxcore.cli.command import ReportCommand
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, CommandError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Option, Parsed
from fluxcore.cli.users import parse_user
from fluxcore.job import jobid, states
from fluxcore.wire.payload import need_int

#: The states that a user may name.
_STATES: Final = {
    "depend": states.DEPEND,
    "priority": states.PRIORITY,
    "sched": states.SCHED,
    "run": states.RUN,
    "cleanup": states.CLEANUP,
    "pending": states.PENDING,
    "running": states.RUNNING,
    "active": states.ACTIVE,
}


def cancel(parsed: Parsed) -> int:
    """Cancel the jobs that are named, or those that match the options."""
    matching = "all" in parsed or "user" in parsed or "states" in parsed
    if parsed.args and matching:
        raise CommandError("Do not specify a list of jobids with --all,--user,--states options")
    common: dict[str, Any] = {"severity": 0, "type": "cancel"}
    if note := parsed.text("message"):
        common["note"] = note
    if matching:
        return _cancel_matching(parsed, common)
    if not parsed.args:
        raise CommandError("No target jobs were provided")
    ids = [_parse_id(text) for text in parsed.args]
    if "dry-run" in parsed:
        _say(f"Would cancel {_jobs(len(ids))}")
        return 0
    return _cancel_named(ids, common)


def _parse_id(text: str) -> int:
    try:
        return jobid.parse(text)
    except ValueError:
        raise BadOptionError(f"argument JOBID...: invalid JobID value: '{text}'") from None


def _cancel_named(ids: list[int], common: dict[str, Any]) -> int:
    status = 0
    with connect() as flux:
        sent = [(each, flux.start("job-manager.raise", {"id": each, **common})) for each in ids]
        for each, pending in sent:
            try:
                pending.get()
            except OSError as exc:
                _say(f"ERROR: {id_text(each)}: {exc.strerror}")
                status = 1
    return status


def _cancel_matching(parsed: Parsed, common: dict[str, Any]) -> int:
    user = parsed.text("user")
    payload = {
        "dry_run": "dry-run" in parsed,
        "userid": os.getuid() if user is None else parse_user(user),
        "states": _parse_states(parsed.texts("states")) or states.ACTIVE,
        **common,
    }
    with connect() as flux:
        answer = flux.rpc("job-manager.raiseall", payload).json
    count, errors = need_int(answer, "count"), need_int(answer, "errors")
    if not count:
        if "quiet" not in parsed:
            _say("Matched 0 jobs")
    elif "dry-run" in parsed:
        _say(f"Would cancel {_jobs(count)}")
    else:
        _say(f"Canceled {_jobs(count)} ({errors} error{'s' * (errors != 1)})")
    return 0


def _parse_states(texts: list[str]) -> int:
    mask = 0
    for name in ",".join(texts).split(",") if texts else ():
        if name.lower() not in _STATES:
            raise CommandError(f"Invalid state {name} specified")
        mask |= _STATES[name.lower()]
    return mask


def _jobs(count: int) -> str:
    return f"{count} job{'s' * (count != 1)}"


def _say(text: str) -> None:
    sys.stderr.write(f"flux-cancel: {text}\n")


CANCEL: Final = ReportCommand(
    "flux-cancel",
    "[OPTIONS] [JOBID...]",
    "Cancel pending or running jobs, with a note for their eventlogs if you like.",
    cancel,
    [
        Option("all", doc="all your jobs"),
        Option("dry-run", "n", doc="only say how many"),
        Option("quiet", "q", doc="say nothing if there are none"),
        Option("user", "u", "USER", "the jobs of USER, or of all (the owner only)"),
        Option("states", "S", "STATES", "the jobs in these states, by default active"),
        Option("message", "m", "NOTE", "a note for the jobs' eventlogs"),
    ],
)
