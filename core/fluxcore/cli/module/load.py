"""``flux module load``, ``remove`` and ``reload`` (CONTRACTS A22, A23)."""

import errno
import os
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux


def load_module(parsed: Parsed) -> None:
    """Load a module with arguments."""
    if not parsed.args:
        raise UsageError
    with connect() as flux:
        _load(flux, parsed)


def remove_module(parsed: Parsed) -> None:
    """Unload a module."""
    if len(parsed.args) != 1:
        raise UsageError
    with connect() as flux:
        _remove(flux, parsed, parsed.args[0])


def reload_module(parsed: Parsed) -> None:
    """Unload a module, and load it with these arguments."""
    if not parsed.args:
        raise UsageError
    with connect() as flux:
        _remove(flux, parsed, parsed.text("name") or parsed.args[0])
        _load(flux, parsed)


def _load(flux: Flux, parsed: Parsed) -> None:
    path, *args = parsed.args
    payload: dict[str, Any] = {
        "path": canonical(path),
        "args": args,
        "exec": "exec" in parsed,
    }
    for key in ("name", "loader"):
        value = parsed.text(key)
        if value is not None:
            payload[key] = value
    try:
        flux.rpc("module.load", payload)
    except OSError as exc:
        raise CommandError(f"load {path}: {exc.strerror}") from None


def _remove(flux: Flux, parsed: Parsed, path: str) -> None:
    payload = {"name": canonical(path), "cancel": "cancel" in parsed}
    try:
        flux.rpc("module.remove", payload)
    except OSError as exc:
        if not ("force" in parsed and exc.errno == errno.ENOENT):
            raise CommandError(f"remove {path}: {exc.strerror}") from None


def canonical(path: str) -> str:
    """``path`` in full if it is one, since the broker may be in another directory.

    :raises CommandError: there is no such file
    """
    if "/" not in path and not path.endswith(".so"):
        return path
    try:
        return os.path.realpath(path, strict=True)
    except OSError as exc:
        text = f"could not canonicalize module path '{path}': {exc.strerror}"
        raise CommandError(text) from None


_NAME: Final = Option("name", "", "NAME", "call the module NAME")
_CANCEL: Final = Option("cancel", doc="stop the module even if it does not respond")
_FORCE: Final = Option("force", "f", doc="it is no error if there is no such module")
_EXEC: Final = Option("exec", doc="run the module in a process of its own")
_LOADER: Final = Option("loader", "", "PATH", "the program that runs the module")

LOAD: Final = Command(
    "flux-module load",
    "[OPTIONS] module [ARGS...]",
    "Load module",
    load_module,
    [_NAME, _EXEC, _LOADER],
)
REMOVE: Final = Command(
    "flux-module remove", "[OPTIONS] module", "Unload module", remove_module, [_FORCE, _CANCEL]
)
RELOAD: Final = Command(
    "flux-module reload",
    "[OPTIONS] module [ARGS...]",
    "Reload module",
    reload_module,
    [_FORCE, _NAME, _CANCEL, _EXEC, _LOADER],
)
