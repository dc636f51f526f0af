"""``flux submit`` (CONTRACTS D2, D16)."""

import sys
from collections.abc import Iterator
from typing import Final

from fluxcore.cli.command import ReportCommand
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Option, Parsed
from fluxcore.cli.submit.copies import fill_in
from fluxcore.cli.submit.jobspec_options import (
    JOBSPEC_OPTIONS,
    dump_jobspec,
    input_ranks,
    make_jobspec,
    request_payload,
)
from fluxcore.handle.blocking import Flux
from fluxcore.job.jobspec import Jobspec
from fluxcore.resource.idset import IdSet
from fluxcore.wire.payload import need_int


def submit(parsed: Parsed) -> int:
    """Submit one job, or a copy for each of --cc; with --wait, wait for them."""
    jobs = make_jobs(parsed)
    if "dry-run" in parsed:
        print(dump_jobspec(next(jobs)[1]))
        return 0
    with connect() as flux:
        return _submit(flux, parsed, list(jobs))


def make_jobs(parsed: Parsed) -> Iterator[tuple[str, Jobspec]]:
    """Each job's label for errors, and its jobspec.

    :raises CommandError: the options do not go together
    """
    copies = _copies(parsed)
    if copies is None:
        yield "", _make_job(parsed)
        return
    for number in copies:
        jobspec = _make_job(fill_in(parsed, number))
        if "cc" in parsed:
            jobspec["attributes"]["system"]["environment"]["FLUX_JOB_CC"] = str(number)
        yield f"cc={number}: ", jobspec


def _make_job(parsed: Parsed) -> Jobspec:
    jobspec = make_jobspec(parsed)
    if input_ranks(parsed) is not None:
        raise CommandError("per-task input not supported for submit")
    return jobspec


def _copies(parsed: Parsed) -> IdSet | None:
    if "cc" in parsed and "bcc" in parsed:
        raise CommandError("specify only one of --cc or --bcc")
    text = parsed.text("cc") or parsed.text("bcc")
    try:
        return IdSet.decode(text) if text else None
    except ValueError as exc:
        raise CommandError(str(exc)) from None


def _submit(flux: Flux, parsed: Parsed, jobs: list[tuple[str, Jobspec]]) -> int:
    status = 0
    # All are sent before the first answer is awaited.
    requests = [(label, request_payload(parsed, jobspec)) for label, jobspec in jobs]
    sent = [(label, flux.start("job-ingest.submit", payload)) for label, payload in requests]
    submitted: list[int] = []
    for label, pending in sent:
        try:
            jobid = need_int(pending.get().json, "id")
        except OSError as exc:
            sys.stderr.write(f"{label}[Errno {exc.errno}] {exc.strerror}\n")
            status = 1
            continue
        submitted.append(jobid)
        if "quiet" not in parsed:
            print(id_text(jobid), flush=True)
    if any(name in parsed for name in ("wait", "wait-event", "watch")):
        from fluxcore.cli.submit.watch import watch_jobs

        return max(status, watch_jobs(flux, parsed, submitted))
    return status


SUBMIT: Final = ReportCommand(
    "flux submit",
    "[OPTIONS...] COMMAND [ARGS...]",
    "submit a job and print its id",
    submit,
    [
        *JOBSPEC_OPTIONS,
        Option("cc", "", "IDSET", "submit a copy for each id; {cc} and FLUX_JOB_CC are the id"),
        Option("bcc", "", "IDSET", "as --cc, but without FLUX_JOB_CC"),
        Option("wait-event", "", "NAME", "wait for this event of each job"),
        Option("wait", doc="wait until each job is over"),
        Option("watch", doc="show the jobs' output, and wait until they are over"),
    ],
    ordered=True,
)
