"""``flux job urgency`` (CONTRACTS D7, D18)."""

import sys
from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.ids import parse_id
from fluxcore.cli.options import Option, Parsed
from fluxcore.job.submission import URGENCY_MAX, URGENCY_MIN, parse_urgency
from fluxcore.wire.payload import need_int

_NAMES: Final = {URGENCY_MIN: "job held", URGENCY_MAX: "job expedited"}


def set_urgency(parsed: Parsed) -> None:
    """Set a job's urgency."""
    if len(parsed.args) != 2:
        raise UsageError
    text, urgency_text = parsed.args
    number = parse_id(text)
    try:
        urgency = parse_urgency(urgency_text)
    except ValueError:
        raise CommandError(f'error parsing urgency: "{urgency_text}"') from None
    with connect() as flux:
        try:
            answer = flux.rpc("job-manager.urgency", {"id": number, "urgency": urgency}).json
        except OSError as exc:
            raise CommandError(f"{text}: {exc.strerror}") from None
    if "verbose" in parsed:
        old = need_int(answer, "old_urgency")
        sys.stderr.write(f"old urgency: {_NAMES.get(old, old)}\n")


URGENCY: Final = Command(
    "flux-job urgency",
    "[OPTIONS] id urgency",
    "Set a job's urgency: 0 (hold) to 31 (expedite), or default",
    set_urgency,
    [Option("verbose", "v", doc="show the old urgency on stderr")],
)
