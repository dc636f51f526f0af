"""``flux jobs`` (CONTRACTS D12, D17)."""

import errno
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from fluxcore.cli.command import ReportCommand
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, CommandError
from fluxcore.cli.jobs import fields
from fluxcore.cli.jobs.formats import find_format, list_formats
from fluxcore.cli.jobs.listed_job import ListedJob
from fluxcore.cli.jobs.query import build_constraint, clock, parse_since
from fluxcore.cli.jobs.record import job_record
from fluxcore.cli.jobs.stats import fetch_stats
from fluxcore.cli.jobs.table import Table, cut
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.job import jobid
from fluxcore.wire.payload import need_dict, need_list

_COUNT: Final = 1000
_COLOR_END: Final = "\x1b[0;0m"
_RUNS_INSTANCE: Final = "\x1b[01;34m"
_RESULT_COLORS: Final = {
    "COMPLETED": "\x1b[01;32m",
    "FAILED": "\x1b[01;31m",
    "CANCELED": "\x1b[37m",
    "TIMEOUT": "\x1b[01;31m",
}


def jobs(parsed: Parsed) -> int:
    """Print a table of jobs."""
    with_stats = "stats" in parsed or "stats-only" in parsed
    if "json" in parsed and with_stats:
        raise CommandError("--json incompatible with --stats or --stats-only")
    name = parsed.text("format") or "default"
    if name == "help":
        sys.stdout.write(list_formats())
        return 0
    table = make_table(name, parsed.text("sort") or "")
    ids = [(text, _parse_id(text)) for text in parsed.args]
    with connect() as flux:
        if with_stats:
            stats = fetch_stats(flux, parsed.texts("queue"))
            print(stats.line())
            if "stats-only" in parsed:
                return 0 if stats.active else 1
        return _list(flux, parsed, table, ids)


def make_table(name: str, sort_keys: str = "") -> Table:
    """The table for a format or its name.

    :raises CommandError: there is none of that name, or it has a fault
    """
    try:
        text = find_format(name, os.environ)
    except ValueError as exc:
        raise CommandError(str(exc)) from None
    try:
        table = Table(text, fields.heading, fields.value)
    except ValueError as exc:
        raise CommandError(f"Error in user format: {exc}") from None
    if sort_keys:
        try:
            table.sort_by(sort_keys)
        except ValueError as exc:
            raise CommandError(str(exc)) from None
    return table


def _parse_id(text: str) -> int:
    try:
        return jobid.parse(text)
    except ValueError:
        raise BadOptionError(f"argument JOBID: invalid JobID value: '{text}'") from None


def _list(flux: Flux, parsed: Parsed, table: Table, ids: Sequence[tuple[str, int]]) -> int:
    limit = parsed.integer("count", _COUNT)
    color = parsed.color()
    attrs = _attrs(parsed, table, color)
    found = _fetch_ids(flux, attrs, ids) if ids else _fetch(flux, parsed, attrs, limit)
    if ids and not found:
        return 1
    truncated = not ids and 0 < limit < len(found)
    now = clock()
    rows = [ListedJob(attributes, now, _user_name) for attributes in found]
    if truncated:
        rows = rows[:-1]
    if "json" in parsed:
        records = [job_record(row) for row in rows]
        print(json.dumps(records[0] if len(ids) == 1 else {"jobs": records}))
        return 0
    header = "no-header" not in parsed
    _print(table, rows, _width(parsed), header=header, color=color)
    if truncated and header:
        sys.stdout.flush()
        sys.stderr.write(
            f"warning: output truncated at {limit} jobs.\n"
            "Use --count to increase returned results or use filters to alter results.\n"
        )
    return 0


def _attrs(parsed: Parsed, table: Table, color: bool) -> list[str]:
    if "json" in parsed:
        return ["all"]
    extra = ["result", "annotations"] if color else []
    return sorted({*fields.needed_attrs(table.fields), *extra})


def _fetch(flux: Flux, parsed: Parsed, attrs: list[str], limit: int) -> list[dict[str, Any]]:
    """The jobs that match; one more than the limit if there are more."""
    if "all" in parsed and "filter" in parsed:
        sys.stderr.write("flux-jobs: WARNING: Both -a and --filter specified, ignoring -a\n")
    since = parsed.text("since")
    payload = {
        "max_entries": limit + 1 if limit > 0 else limit,
        "attrs": attrs,
        "since": parse_since(since, clock()) if since else 0.0,
        "constraint": build_constraint(parsed, os.getuid()),
    }
    found: list[dict[str, Any]] = []
    for answer in flux.stream("job-list.list", payload):
        found += need_list(answer.json, "jobs")
    return found


def _fetch_ids(
    flux: Flux, attrs: list[str], ids: Sequence[tuple[str, int]]
) -> list[dict[str, Any]]:
    """The jobs of these ids; of one that is not there that is said."""
    sent = [
        (text, flux.start("job-list.list-id", {"id": number, "attrs": attrs}))
        for text, number in ids
    ]
    found: list[dict[str, Any]] = []
    for text, pending in sent:
        try:
            found.append(need_dict(pending.get().json, "job"))
        except OSError as exc:
            unknown = exc.errno == errno.ENOENT
            sys.stderr.write(f"JobID {text} unknown\n" if unknown else f"rpc: {exc.strerror}\n")
    return found


def _width(parsed: Parsed) -> int:
    """The width to cut lines at; 0 for no limit."""
    if "width" not in parsed:
        return 0
    if parsed.text("width") is not None:
        width = parsed.integer("width", 0)
        if width:
            return max(width, 0)
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 0


def _print(
    table: Table, rows: Sequence[ListedJob], width: int, *, header: bool, color: bool
) -> None:
    table.fit(rows, header=header)
    if header:
        print(cut(table.header(), width))
    for row in table.sort(rows):
        try:
            line = table.line(row)
        except ValueError as exc:
            raise CommandError(str(exc)) from None
        if not line or line.isspace():
            continue
        start = _color(row) if color else ""
        sys.stdout.write(f"{start}{cut(line, width)}\n{_COLOR_END if start else ''}")


def _color(row: ListedJob) -> str:
    if row.result:
        return _RESULT_COLORS.get(row.result, "")
    return _RUNS_INSTANCE if row.uri else ""


@cache
def _user_name(userid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(userid).pw_name
    except KeyError:
        return str(userid)


JOBS: Final = ReportCommand(
    "flux-jobs",
    "[OPTIONS] [JOBID ...]",
    "list jobs: the active ones, or those of these ids",
    jobs,
    [
        Option("all", "a", doc="list inactive jobs too"),
        Option("all-users", "A", doc="list the jobs of all users"),
        Option("count", "c", "N", "list at most N jobs (default 1000)"),
        Option("filter", "f", "STATE|RESULT", "list jobs in these states or with these results"),
        Option("since", "", "WHEN", "with jobs inactive since a time, or so long ago (-FSD)"),
        Option("no-header", "n", doc="do not print the headings"),
        Option("user", "u", "USER", "list jobs of this user, or of all"),
        Option("name", "", "JOB-NAME", "list jobs of this name"),
        Option("queue", "q", "QUEUE,...", "list jobs in these queues"),
        Option("include", "i", "HOSTS|RANKS", "list jobs that run or ran on these"),
        Option("format", "o", "FORMAT", "how to print jobs; a name or a format, help for names"),
        Option("sort", "", "KEY,...", "sort by these fields, from greatest to least behind -"),
        Option("width", "w", "N", "cut lines at N columns", optional=True, attached=True),
        Option("json", doc="print JSON"),
        Option("color", "", "WHEN", "always, never, or auto (the default)", optional=True),
        Option("stats", doc="print statistics first"),
        Option("stats-only", doc="print statistics alone; fail if no job is active"),
    ],
)
