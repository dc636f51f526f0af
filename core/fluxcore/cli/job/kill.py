"""``flux job kill`` (CONTRACTS D6, D18)."""

import sys
from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.signals import parse_signal
from fluxcore.cli.options import Option, Parsed
from fluxcore.job import jobid


def kill(parsed: Parsed) -> int:
    """Send a signal to running jobs."""
    if not parsed.args:
        raise UsageError
    ids = [(text, _parse(text)) for text in parsed.args]
    name = parsed.text("signal") or "SIGTERM"
    signum = parse_signal(name)
    if signum is None:
        raise CommandError(f"kill: Invalid signal {name}")
    status = 0
    with connect() as flux:
        sent = [
            (text, flux.start("job-manager.kill", {"id": number, "signum": signum}))
            for text, number in ids
        ]
        for text, pending in sent:
            try:
                pending.get()
            except OSError as exc:
                sys.stderr.write(f"flux-job: kill {text}: {exc.strerror}\n")
                status = 1
    return status


def _parse(text: str) -> int:
    try:
        return jobid.parse(text)
    except ValueError:
        raise CommandError(f"invalid jobid: {text}") from None


KILL: Final = Command(
    "flux-job kill",
    "[OPTIONS] ids...",
    "Send a signal to running jobs",
    kill,
    [Option("signal", "s", "SIG", "the signal, by default SIGTERM")],
)
