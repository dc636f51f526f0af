"""Themes: colours as data files, found in the checkout, in the wheel and in the user's folder.

::

    dark = true

    [colors]
    primary = "#6cb6ff"
    ...

    [variables]
    cursor = "#2b3a4d"

The file's name is the theme's; ``colors`` are the fields of Textual's Theme, ``variables`` what
the style sheet asks for beyond them.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from textual.theme import Theme

DEFAULT: Final = "fluxtop-dark"

_COLORS: Final = frozenset(
    {
        "primary",
        "secondary",
        "warning",
        "error",
        "success",
        "accent",
        "foreground",
        "background",
        "surface",
        "panel",
    }
)


class ThemeError(ValueError):
    """A theme's file is none; the text says which and why."""


def load(path: Path) -> Theme:
    """The theme in a file.

    :raises ThemeError: it is none
    """
    try:
        return _theme(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ThemeError, TypeError) as exc:
        raise ThemeError(f"{path}: {exc}") from None


def _theme(name: str, document: dict[str, Any]) -> Theme:
    colors, variables = document.get("colors", {}), document.get("variables", {})
    unknown = set(colors) - _COLORS
    if unknown:
        raise ThemeError(f"unknown colors {', '.join(sorted(unknown))}")
    if "primary" not in colors:
        raise ThemeError("no primary color")
    return Theme(name=name, dark=bool(document.get("dark", True)), variables=variables, **colors)


def load_all(folders: Iterable[Path]) -> dict[str, Theme]:
    """The themes in folders, by name; a later folder's hides an earlier one's.

    :raises ThemeError: one of them is none
    """
    themes: dict[str, Theme] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            themes[path.stem] = load(path)
    return themes
