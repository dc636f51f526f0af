"""``flux job eventlog`` (CONTRACTS D11, D18)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.ids import parse_id
from fluxcore.cli.job.info import look_up
from fluxcore.cli.options import Option, Parsed
from fluxcore.job.eventlog import decode_log
from fluxcore.job.eventlog_text import EventFormatter

#: Short names of the logs in a job's guest namespace.
PATHS: Final = {
    "exec": "guest.exec.eventlog",
    "output": "guest.output",
    "input": "guest.input",
}

FORMAT_OPTIONS: Final = (
    Option("format", "f", "FORMAT", "text (the default) or json"),
    Option("time-format", "T", "FORMAT", "show times as raw (the default), iso or offset"),
    Option("human", "H", doc="show text, with times for a human reader"),
    Option(
        "color",
        "L",
        "WHEN",
        "use colours: always (without WHEN), never, or auto (the default: on a terminal)",
        optional=True,
        attached=True,
    ),
)
PATH_OPTION: Final = Option("path", "p", "PATH", "another log: exec, output, input, or its key")


def eventlog(parsed: Parsed) -> None:
    """Print a job's events."""
    if len(parsed.args) != 1:
        raise UsageError
    if "follow" in parsed:
        from fluxcore.cli.job.wait_event import follow

        follow(parsed)
        return
    text = parsed.args[0]
    jobid, path = parse_id(text), log_path(parsed)
    formatter = event_formatter(parsed)
    with connect() as flux:
        try:
            log = look_up(flux, jobid, path)
        except FileNotFoundError:
            raise not_found(text, path) from None
    for event in decode_log(log):
        print(formatter.format(event))


def log_path(parsed: Parsed) -> str:
    """The log that --path asks for, by default the job's own."""
    path = parsed.text("path") or "eventlog"
    return PATHS.get(path, path)


def not_found(text: str, path: str) -> CommandError:
    """The error for a log that is not there."""
    if path == "eventlog":
        return CommandError(f"job {text} not found")
    return CommandError(f"eventlog path {path} not found")


def time_format(parsed: Parsed) -> str:
    """How FORMAT_OPTIONS ask to show times."""
    return "human" if "human" in parsed else parsed.text("time-format") or "raw"


def event_formatter(parsed: Parsed) -> EventFormatter:
    """The formatter that FORMAT_OPTIONS ask for.

    :raises CommandError: there is no such format
    """
    form = "text" if "human" in parsed else parsed.text("format") or "text"
    if form not in ("text", "json"):
        raise CommandError(f"invalid format type '{form}'")
    try:
        return EventFormatter(time_format(parsed), color=parsed.color(), as_json=form == "json")
    except ValueError as exc:
        raise CommandError(str(exc)) from None


EVENTLOG: Final = Command(
    "flux-job eventlog",
    "[OPTIONS] id",
    "Print a job's events",
    eventlog,
    [*FORMAT_OPTIONS, Option("follow", "F", doc="go on until the job is inactive"), PATH_OPTION],
)
