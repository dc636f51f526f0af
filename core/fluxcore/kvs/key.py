"""Keys: names joined by dots (CONTRACTS C3)."""

from typing import Final

#: The key of a namespace's root directory.
ROOT: Final = "."

#: The namespace that every instance has.
PRIMARY: Final = "primary"


def normalize(key: str) -> str:
    """``key`` without leading, trailing and doubled dots; what is all dots is the root.

    ``a..b`` is ``a.b``, ``.a.`` is ``a``, ``...`` is ``.``.
    """
    if ".." not in key and not key.startswith(".") and not key.endswith("."):
        return key
    return ".".join(filter(None, key.split("."))) or ROOT


def split(key: str) -> list[str]:
    """The names in a normalised key that is not the root's."""
    return key.split(".")


def join(directory: str, name: str) -> str:
    """The key of ``name`` in ``directory``, which may be the root."""
    return name if directory == ROOT else f"{directory}.{name}"


def format_link(target: str, namespace: str | None) -> str:
    """A symlink's target as the commands show it: ``namespace::key``, or the key alone."""
    return target if namespace is None else f"{namespace}::{target}"
