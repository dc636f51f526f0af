"""``flux run``: submit a job and follow it (CONTRACTS D14, D16)."""

import sys
from typing import Final

from fluxcore.cli.command import ReportCommand, error_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Option, Parsed
from fluxcore.cli.submit.jobspec_options import (
    JOBSPEC_OPTIONS,
    dump_jobspec,
    input_ranks,
    make_jobspec,
    request_payload,
)
from fluxcore.wire.payload import need_int


def run(parsed: Parsed) -> int:
    """Submit a job, then do as ``flux job attach``."""
    jobspec = make_jobspec(parsed)
    if "dry-run" in parsed:
        print(dump_jobspec(jobspec))
        return 0
    from fluxcore.cli.job.attach import attach_job
    from fluxcore.cli.job.attach_effects import Settings

    verbose = parsed.count("verbose")
    payload = request_payload(parsed, jobspec)
    with connect() as flux:
        jobid = need_int(flux.rpc("job-ingest.submit", payload).json, "id")
        text = id_text(jobid)
        if verbose:
            sys.stderr.write(f"jobid: {text}\n")
        settings = Settings(
            show_events=verbose > 1,
            show_exec=verbose > 2,
            wait_event=parsed.text("wait-event") or "clean",
            label="label-io" in parsed,
            input_ranks=input_ranks(parsed),
        )
        try:
            return attach_job(flux, jobid, text, settings)
        except (CommandError, OSError) as exc:
            # What happens from here on is told in the words of flux job attach.
            text = exc.text if isinstance(exc, CommandError) else error_text(exc)
            sys.stderr.write(f"flux-job: {text}\n")
            return 1


RUN: Final = ReportCommand(
    "flux run",
    "[OPTIONS...] COMMAND [ARGS...]",
    "run a job and see its output",
    run,
    [*JOBSPEC_OPTIONS, Option("wait-event", "", "NAME", "follow it until this event")],
    ordered=True,
)
