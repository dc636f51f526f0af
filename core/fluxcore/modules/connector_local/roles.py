"""Roles that the configuration gives to guests: ``[access.roles.NAME]`` (RFC 12, CONTRACTS A5)."""

import errno
import grp
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.wire.constants import ROLE_ADMIN

_MASKS: Final = {"admin": ROLE_ADMIN}


@dataclass(frozen=True, slots=True)
class Role:
    """A role's bit, and the names of the users and groups that have it."""

    mask: int
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def has(self, userid: int, warn: Callable[[str], None]) -> bool:
        """True if ``userid`` has the role; names that nobody knows are warned of and ignored."""
        return any(_is_user(name, userid, warn) for name in self.users) or any(
            _is_member(name, userid, warn) for name in self.groups
        )


def parse_roles(table: object) -> tuple[Role, ...]:
    """The roles of an ``[access.roles]`` table.

    :raises OSError: EINVAL, saying what is wrong
    """
    if not isinstance(table, Mapping):
        raise rpc_error(errno.EINVAL, "[access.roles] must be a table")
    return tuple(_parse(name, entry) for name, entry in table.items())


def _parse(name: str, entry: Any) -> Role:
    mask = _MASKS.get(name)
    if mask is None:
        raise rpc_error(errno.EINVAL, f"unknown role '{name}' in [access.roles]")
    if not isinstance(entry, Mapping):
        raise rpc_error(errno.EINVAL, f"[access.roles.{name}]: no table")
    for key in entry:
        if key not in ("users", "groups"):
            raise rpc_error(errno.EINVAL, f"[access.roles.{name}]: unknown key {key}")
    return Role(mask, _names(name, entry, "users"), _names(name, entry, "groups"))


def _names(role: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = entry.get(key, [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise rpc_error(errno.EINVAL, f"[access.roles.{role}] {key} must be a string array")
    return tuple(names)


def _is_user(name: str, userid: int, warn: Callable[[str], None]) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid == userid
    except KeyError:
        warn(f"[access.roles] ignoring unknown user '{name}'")
        return False


def _is_member(name: str, userid: int, warn: Callable[[str], None]) -> bool:
    try:
        members = grp.getgrnam(name).gr_mem
    except KeyError:
        warn(f"[access.roles] ignoring unknown group '{name}'")
        return False
    try:
        return pwd.getpwuid(userid).pw_name in members
    except KeyError:
        return False


__all__ = ["Role", "parse_roles"]
