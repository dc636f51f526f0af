"""Reading the configuration: TOML files, and ``--conf`` on the command line (B9, A44)."""

import errno
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fluxcore.handle.errors import rpc_error


def read_conf(path: str | None, updates: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration in ``path`` (a file, or a folder whose *.toml are put together).

    :param updates: ``--conf`` values in order: TOML text such as ``queues.batch.timelimit="1h"``,
        or the path of a file
    :raises OSError: EINVAL "Config file error: ...", "--conf: ..."
    """
    conf: dict[str, Any] = {}
    for file in _files(path):
        _merge(conf, _parse_file(file))
    for update in updates:
        _merge(conf, _parse_update(update))
    return conf


def _files(path: str | None) -> list[Path]:
    if path is None:
        return []
    where = Path(path)
    if where.is_dir():
        return sorted(where.glob("*.toml"))
    return [where]


def _parse_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise rpc_error(errno.EINVAL, f"Config file error: {file}: {why}") from None


def _parse_update(update: str) -> dict[str, Any]:
    key, equals, value = update.partition("=")
    if not equals:
        if not os.path.exists(update):
            raise rpc_error(errno.ENOENT, f"--conf: {update}: {os.strerror(errno.ENOENT)}")
        return _parse_file(Path(update))
    if not key:
        raise rpc_error(errno.EINVAL, "--conf: value must have a key in KEY=VAL")
    try:
        return tomllib.loads(update)
    except tomllib.TOMLDecodeError:
        # KEY=VALUE with a plain word for the value: a string.
        conf: dict[str, Any] | str = value
        for name in reversed(key.split(".")):
            conf = {name: conf}
        assert isinstance(conf, dict)
        return conf


def _merge(into: dict[str, Any], update: dict[str, Any]) -> None:
    """Put ``update`` into ``into``: tables are merged, anything else is replaced."""
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
