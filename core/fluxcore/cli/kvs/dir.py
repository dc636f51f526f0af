"""``flux kvs dir`` (CONTRACTS C8)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.kvs.client import (
    AT,
    NAMESPACE,
    as_text,
    entries_of,
    key_error,
    look_up,
    namespace_of,
    snapshot_of,
    write,
)
from fluxcore.cli.kvs.columns import format_value, output_width
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.key import ROOT, format_link, join
from fluxcore.kvs.lookup import READDIR
from fluxcore.kvs.treeobj import Treeobj, kind_of, link_of, val_bytes


def print_directory(parsed: Parsed) -> None:
    """Print the keys in a directory and their values."""
    if len(parsed.args) > 1:
        raise CommandError("dir: specify zero or one directory")
    key = parsed.args[0] if parsed.args else ROOT
    with connect() as flux:
        _Printer(flux, parsed, snapshot_of(parsed, key)).directory(key)


class _Printer:
    """Walks a directory and prints a line for each key."""

    def __init__(self, flux: Flux, parsed: Parsed, root: Treeobj | None) -> None:
        self._flux = flux
        self._namespace = namespace_of(parsed)
        self._root = root
        width = parsed.integer("width", -1)
        self._width = width if width >= 0 else output_width()
        self._recursive = "recursive" in parsed
        self._names_only = "directory" in parsed

    def directory(self, key: str) -> None:
        self._entries(key, entries_of(self._look_up(key, READDIR)))

    def _entries(self, key: str, entries: list[tuple[str, Treeobj]]) -> None:
        for name, obj in entries:
            self._entry(join(key.removesuffix("."), name) if key != ROOT else name, obj)

    def _entry(self, key: str, obj: Treeobj) -> None:
        kind = kind_of(obj)
        if kind == "symlink":
            namespace, target = link_of(obj)
            print(f"{key} -> {format_link(target, namespace)}")
        elif kind in ("dir", "dirref"):
            self._below(key)
        elif self._names_only:
            print(key)
        else:
            value = self._value(key, obj if kind == "val" else self._look_up(key, 0))
            write(format_value(key, as_text(value), self._width) + b"\n")

    def _below(self, key: str) -> None:
        entries = entries_of(self._look_up(key, READDIR)) if self._recursive else []
        if entries:
            self._entries(key, entries)
        else:
            print(f"{key}.")

    def _value(self, key: str, obj: Treeobj) -> bytes:
        try:
            return val_bytes(obj)
        except OSError as exc:
            raise key_error(key, exc) from None

    def _look_up(self, key: str, flags: int) -> Treeobj:
        try:
            return look_up(self._flux, key, flags, self._namespace, self._root)
        except OSError as exc:
            raise key_error(key, exc) from None


DIR: Final = Command(
    "flux-kvs dir",
    "[OPTIONS] [key]",
    "Print the keys in a directory and their values",
    print_directory,
    [
        NAMESPACE,
        Option("recursive", "R", doc="print what is in directories below too"),
        Option("directory", "d", doc="print keys without values"),
        Option("width", "w", "COLS", "cut lines to COLS, 0 for no limit"),
        AT,
    ],
)
