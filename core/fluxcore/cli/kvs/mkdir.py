"""``flux kvs mkdir`` (CONTRACTS C2, C8)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import UsageError
from fluxcore.cli.kvs.client import NAMESPACE, ROOT_OPTIONS, commit
from fluxcore.cli.options import Parsed
from fluxcore.kvs.ops import mkdir


def make_directories(parsed: Parsed) -> None:
    """Make empty directories and those above them."""
    if not parsed.args:
        raise UsageError
    with connect() as flux:
        commit(flux, parsed, [mkdir(key) for key in parsed.args])


MKDIR: Final = Command(
    "flux-kvs mkdir",
    "[OPTIONS] key [key...]",
    "Make empty directories",
    make_directories,
    [NAMESPACE, *ROOT_OPTIONS],
)
