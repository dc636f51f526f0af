"""``flux job id`` (CONTRACTS D3, D18)."""

import sys
from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.options import Option, Parsed
from fluxcore.job import jobid


def convert_ids(parsed: Parsed) -> int:
    """Print job ids in another form; those of stdin if there are no arguments."""
    form = parsed.text("to") or "dec"
    count = 0
    for text in parsed.args or sys.stdin:
        print(convert(text.strip(), form))
        count += 1
    return 0 if count else 1


def convert(text: str, form: str) -> str:
    """The id ``text`` in another form.

    :raises CommandError: it is no id, or the form is unknown
    """
    try:
        number = jobid.parse(text)
    except ValueError:
        raise CommandError(f"{text}: malformed input") from None
    try:
        return id_text(number) if form == "f58" else jobid.encode(number, form)
    except ValueError as exc:
        raise CommandError(str(exc)) from None


ID: Final = Command(
    "flux-job id",
    "[OPTIONS] [id ...]",
    "Convert job ids to another form",
    convert_ids,
    [Option("to", "t", "|".join(jobid.FORMS), "the form, by default dec")],
)
