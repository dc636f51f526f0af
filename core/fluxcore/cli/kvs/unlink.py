"""``flux kvs unlink`` (CONTRACTS C2, C8)."""

import errno
import os
from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import (
    NAMESPACE,
    ROOT_OPTIONS,
    commit,
    entries_of,
    look_up,
    namespace_of,
)
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.lookup import READDIR, TREEOBJ
from fluxcore.kvs.ops import unlink
from fluxcore.kvs.treeobj import kind_of


def unlink_keys(parsed: Parsed) -> None:
    """Remove keys, all or none."""
    if not parsed.args:
        raise UsageError
    with connect() as flux:
        for key in parsed.args:
            try:
                _check(flux, parsed, key)
            except OSError as exc:
                raise CommandError(f"cannot unlink '{key}': {plain_text(exc)}") from None
        commit(flux, parsed, [unlink(key) for key in parsed.args])


def _check(flux: Flux, parsed: Parsed, key: str) -> None:
    """Raise the OSError that forbids to remove ``key``, if there is one."""
    namespace = namespace_of(parsed)
    try:
        obj = look_up(flux, key, TREEOBJ, namespace)
    except FileNotFoundError:
        if "force" in parsed:
            return
        raise
    if "recursive" in parsed:
        return
    if kind_of(obj) == "dirref":
        obj = look_up(flux, key, READDIR, namespace)
    if kind_of(obj) == "dir" and entries_of(obj):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


UNLINK: Final = Command(
    "flux-kvs unlink",
    "[OPTIONS] key [key...]",
    "Remove keys, all or none",
    unlink_keys,
    [
        NAMESPACE,
        *ROOT_OPTIONS,
        Option("recursive", "R", doc="remove directories with all that is in them"),
        Option("force", "f", doc="it is no error if a key is not there"),
    ],
)
