"""The user's own keys: ``keys.toml`` in the settings folder.

::

    [keys]
    "modules.reload" = "ctrl+r"
    "jobs.new"       = ["n", "insert"]

The left side is an action's id as the help screen shows it, the right side the keys that carry
it out in place of its own.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fluxtop.actions import BY_ID


class KeymapError(ValueError):
    """The file says something that cannot be done; the text says what and where."""


def load(path: Path) -> dict[str, str]:
    """The keymap in ``path``: action ids to keys with commas between; empty without a file.

    :raises KeymapError: it is no keymap
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        return parse(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeymapError) as exc:
        raise KeymapError(f"{path}: {exc}") from None


def parse(document: Mapping[str, Any]) -> dict[str, str]:
    """The keymap in a decoded file.

    :raises KeymapError: an action is unknown, or its keys are no keys
    """
    table = document.get("keys", {})
    if not isinstance(table, dict):
        raise KeymapError("keys is not a table")
    return {name: ",".join(_keys(name, value)) for name, value in table.items()}


def _keys(name: str, value: object) -> list[str]:
    if name not in BY_ID:
        raise KeymapError(f"there is no action {name}")
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys:
        raise KeymapError(f"{name}: its keys must be a string or a list of strings")
    for key in keys:
        if not isinstance(key, str) or not key or "," in key:
            raise KeymapError(f"{name}: {key!r} is not a key")
    return keys
