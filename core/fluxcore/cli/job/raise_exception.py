"""``flux job raise`` and ``cancel`` (CONTRACTS D5, D18)."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.job import jobid


def raise_exception(parsed: Parsed) -> int:
    """Raise an exception on jobs."""
    severity = parsed.integer("severity", 0)
    return _raise(parsed, "raise", parsed.text("type") or "cancel", severity)


def cancel(parsed: Parsed) -> int:
    """Cancel jobs."""
    return _raise(parsed, "cancel", "cancel", 0)


def _raise(parsed: Parsed, name: str, kind: str, severity: int) -> int:
    if not parsed.args:
        raise UsageError
    ids, note = split_arguments(parsed.args)
    if note is not None and "message" in parsed:
        raise CommandError("Do not set note on command line and with --message")
    note = parsed.text("message") if note is None else note
    common: dict[str, Any] = {"type": kind, "severity": severity}
    if note is not None:
        common["note"] = note
    status = 0
    with connect() as flux:
        sent = [
            (text, flux.start("job-manager.raise", {"id": number, **common}))
            for text, number in ids
        ]
        for text, pending in sent:
            try:
                pending.get()
            except OSError as exc:
                sys.stderr.write(f"flux-job: {name} {text}: {exc.strerror}\n")
                status = 1
    return status


def split_arguments(args: Sequence[str]) -> tuple[list[tuple[str, int]], str | None]:
    """The job ids at the front, as written and as numbers, and the note behind them."""
    ids: list[tuple[str, int]] = []
    for at, text in enumerate(args):
        try:
            ids.append((text, jobid.parse(text)))
        except ValueError:
            words = args[at + 1 :] if text == "--" else args[at:]
            return ids, " ".join(words)
    return ids, None


_MESSAGE: Final = Option("message", "m", "NOTE", "a note for the job's eventlog")

RAISE: Final = Command(
    "flux-job raise",
    "[OPTIONS] ids... [--] [message ...]",
    "Raise an exception on jobs",
    raise_exception,
    [
        Option("severity", "s", "N", "0 (fatal, the default) to 7"),
        Option("type", "t", "TYPE", "its type, by default cancel"),
        _MESSAGE,
    ],
)
CANCEL: Final = Command(
    "flux-job cancel", "[OPTIONS] ids... [--] [message ...]", "Cancel jobs", cancel, [_MESSAGE]
)
