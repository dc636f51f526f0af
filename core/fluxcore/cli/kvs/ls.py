"""``flux kvs ls`` (CONTRACTS C8)."""

import sys
from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.kvs.client import (
    NAMESPACE,
    entries_of,
    key_error,
    look_up,
    namespace_of,
)
from fluxcore.cli.kvs.columns import format_columns, output_width
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.key import ROOT, join
from fluxcore.kvs.lookup import READDIR, TREEOBJ
from fluxcore.kvs.treeobj import Treeobj, kind_of

_DIRECTORIES: Final = ("dir", "dirref")


def list_keys(parsed: Parsed) -> int:
    """List keys: the names of values and links, and what is in directories."""
    with connect() as flux:
        lister = _Lister(flux, parsed)
        found = [lister.sort(key) for key in parsed.args or [ROOT]]
        lister.print()
    return 0 if all(found) else 1


class _Lister:
    """Takes the arguments apart as ls(1) does: names first, then directories."""

    def __init__(self, flux: Flux, parsed: Parsed) -> None:
        self._flux = flux
        self._namespace = namespace_of(parsed)
        width = parsed.integer("width", -1)
        self._width = 1 if "1" in parsed else width if width >= 0 else output_width()
        self._recursive = "recursive" in parsed
        self._as_names = "directory" in parsed
        self._classify = "classify" in parsed
        self._names: list[str] = []
        self._directories: list[str] = []

    def sort(self, key: str) -> bool:
        """Take one argument; False if it was complained of."""
        name = key.rstrip(".") or key[:1]
        try:
            kind = kind_of(look_up(self._flux, name, TREEOBJ, self._namespace))
        except OSError as exc:
            return _complain(name, plain_text(exc))
        if kind in _DIRECTORIES:
            if self._as_names:
                self._names.append(name + ("." if self._classify else ""))
            else:
                self._directories.append(name)
        elif name != key:
            return _complain(name, "Not a directory")
        elif kind == "symlink" and not (self._classify or self._as_names):
            self._sort_link(name)
        else:
            self._names.append(name + ("@" if kind == "symlink" and self._classify else ""))
        return True

    def _sort_link(self, name: str) -> None:
        """A link counts as what it refers to; one to nothing is a name."""
        try:
            look_up(self._flux, name, 0, self._namespace)
        except IsADirectoryError:
            self._directories.append(name)
            return
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise key_error(name, exc) from None
        self._names.append(name)

    def print(self) -> None:
        """Print what the arguments were."""
        names = [(name, name) for name in sorted(self._names)]
        sys.stdout.write(format_columns(names, self._width))
        label = bool(names) or self._recursive or len(self._directories) > 1
        space = bool(names)
        for key in sorted(self._directories):
            self._directory(key, label=label, space=space)
            space = True

    def _directory(self, key: str, *, label: bool, space: bool) -> None:
        try:
            entries = entries_of(look_up(self._flux, key, READDIR, self._namespace))
        except OSError as exc:
            raise key_error(key, exc) from None
        head = f"{key}:\n" if label else ""
        rows = format_columns(
            [(name, self._shown(name, obj)) for name, obj in entries], self._width
        )
        sys.stdout.write(("\n" if label and space else "") + head + rows)
        if self._recursive:
            for name, obj in entries:
                if kind_of(obj) in _DIRECTORIES:
                    self._directory(join(key, name), label=label, space=True)

    def _shown(self, name: str, obj: Treeobj) -> str:
        if not self._classify:
            return name
        kind = kind_of(obj)
        return name + ("." if kind in _DIRECTORIES else "@" if kind == "symlink" else "")


def _complain(key: str, text: str) -> bool:
    sys.stdout.flush()
    sys.stderr.write(f"{key}: {text}\n")
    return False


LS: Final = Command(
    "flux-kvs ls",
    "[OPTIONS] [key...]",
    "List keys and what is in directories",
    list_keys,
    [
        NAMESPACE,
        Option("recursive", "R", doc="list directories below too"),
        Option("directory", "d", doc="list directories themselves, not what is in them"),
        Option("width", "w", "COLS", "use COLS columns, 0 for no limit"),
        Option("1", "1", doc="list one name a line"),
        Option("classify", "F", doc="put . behind directories and @ behind links"),
    ],
)
