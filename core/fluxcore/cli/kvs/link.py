"""``flux kvs link`` and ``readlink`` (CONTRACTS C3, C8)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import (
    AT,
    NAMESPACE,
    ROOT_OPTIONS,
    commit,
    key_error,
    look_up,
    namespace_of,
    snapshot_of,
)
from fluxcore.cli.options import Option, Parsed
from fluxcore.kvs import lookup
from fluxcore.kvs.key import format_link
from fluxcore.kvs.ops import symlink
from fluxcore.kvs.treeobj import link_of


def link(parsed: Parsed) -> None:
    """Make a symbolic link."""
    if not parsed.args:
        raise UsageError
    if len(parsed.args) != 2:
        raise CommandError("link: specify target and link_name")
    target, name = parsed.args
    with connect() as flux:
        commit(flux, parsed, [symlink(name, target, parsed.text("target-namespace"))])


def read_links(parsed: Parsed) -> None:
    """Print what symbolic links refer to."""
    if not parsed.args:
        raise UsageError
    namespace = namespace_of(parsed)
    with connect() as flux:
        for key in parsed.args:
            root = snapshot_of(parsed, key)
            try:
                found = link_of(look_up(flux, key, lookup.READLINK, namespace, root))
            except OSError as exc:
                raise key_error(key, exc) from None
            print(_shown(parsed, *found))


def _shown(parsed: Parsed, namespace: str | None, target: str) -> str:
    if "namespace-only" in parsed and namespace is not None:
        return namespace
    return target if "key-only" in parsed else format_link(target, namespace)


LINK: Final = Command(
    "flux-kvs link",
    "[OPTIONS] target linkname",
    "Make a symbolic link",
    link,
    [
        NAMESPACE,
        Option("target-namespace", "T", "NS", "the namespace that the link leads to"),
        *ROOT_OPTIONS,
    ],
)
READLINK: Final = Command(
    "flux-kvs readlink",
    "[OPTIONS] key [key...]",
    "Print what symbolic links refer to",
    read_links,
    [
        NAMESPACE,
        AT,
        Option("namespace-only", "o", doc="print the namespace alone, if there is one"),
        Option("key-only", "k", doc="print the key alone"),
    ],
)
