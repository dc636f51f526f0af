"""Job ids as the user writes and reads them (RFC 19)."""

import locale
import os

from fluxcore.cli.errors import CommandError
from fluxcore.job import jobid


def parse_id(text: str) -> int:
    """The id that ``text`` stands for, in any form.

    :raises CommandError: it is none
    """
    try:
        return jobid.parse(text)
    except ValueError:
        raise CommandError(f'error parsing jobid: "{text}"') from None


def id_text(number: int) -> str:
    """``number`` in F58, with a prefix that the terminal can show."""
    ascii_only = jobid.wants_ascii(os.environ, locale.getencoding())
    return jobid.f58(number, ascii_only=ascii_only)
