"""``flux job last`` (CONTRACTS D15)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Parsed
from fluxcore.wire.payload import need_list


def last(parsed: Parsed) -> None:
    """Print the ids of the user's latest jobs."""
    if len(parsed.args) > 1:
        raise UsageError
    text = parse_slice(parsed.args[0] if parsed.args else "1")
    with connect() as flux:
        jobs = need_list(flux.rpc("job-manager.history.get", {"slice": text}).json, "jobs")
    if not jobs:
        raise CommandError("job history is empty")
    for number in jobs:
        print(id_text(number))


def parse_slice(text: str) -> str:
    """The slice to ask for: ``[A:B]`` as it is, a number N for the latest N.

    :raises UsageError: it is neither
    """
    if "[" in text:
        return text
    try:
        return f"[:{int(text)}]"
    except ValueError:
        raise UsageError from None


LAST: Final = Command(
    "flux-job last", "[SLICE]", "Print the ids of my latest jobs: N of them, or [A:B]", last
)
