"""Who may connect, as what (RFC 12, CONTRACTS A4, A5)."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.modules.connector_local.roles import Role, parse_roles
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message

_KNOWN_KEYS: Final = frozenset(
    {"allow-guest-user", "allow-root-owner", "private-mode", "roles"},
)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The ``[access]`` table of the configuration: by default the instance owner alone."""

    owner: int
    allow_guest_user: bool = False
    allow_root_owner: bool = False
    roles: tuple[Role, ...] = ()

    @classmethod
    def from_conf(cls, owner: int, conf: Mapping[str, Any]) -> "AccessPolicy":
        """The policy of a configuration.

        :raises OSError: EINVAL, saying which key is wrong
        """
        access = conf.get("access", {})
        if not isinstance(access, dict):
            raise rpc_error(errno.EINVAL, "error parsing [access] configuration: no table")
        for key in access:
            if key not in _KNOWN_KEYS:
                text = f"error parsing [access] configuration: unknown key {key}"
                raise rpc_error(errno.EINVAL, text)
        flags = {}
        for key in ("allow-guest-user", "allow-root-owner", "private-mode"):
            flags[key] = access.get(key, False)
            if type(flags[key]) is not bool:
                text = f"error parsing [access] configuration: {key} is no boolean"
                raise rpc_error(errno.EINVAL, text)
        roles = parse_roles(access.get("roles", {}))
        return cls(owner, flags["allow-guest-user"], flags["allow-root-owner"], roles)

    def rolemask(self, userid: int, warn: Callable[[str], None]) -> int:
        """The roles of who connects as ``userid``; 0 if it may not.

        :param warn: is told of names in the table that nobody has
        """
        if userid == self.owner or (self.allow_root_owner and userid == 0):
            return c.ROLE_OWNER | c.ROLE_LOCAL
        if self.allow_guest_user:
            more = (role.mask for role in self.roles if role.has(userid, warn))
            return reduce(or_, more, c.ROLE_USER | c.ROLE_LOCAL)
        return c.ROLE_NONE


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection may do."""

    userid: int
    rolemask: int

    @property
    def is_owner(self) -> bool:
        """True for the instance owner."""
        return bool(self.rolemask & c.ROLE_OWNER)

    def stamp(self, msg: Message) -> None:
        """Put the credentials on a message that has just come from the connection.

        A guest's are always overwritten. The owner's are only filled in where the message has
        none, so that the owner can pose as a guest in tests, and routers can vouch for others.
        """
        if not self.is_owner:
            msg.userid = self.userid
            msg.rolemask = self.rolemask
            return
        if msg.userid == c.USERID_UNKNOWN:
            msg.userid = self.userid
        if msg.rolemask == c.ROLE_NONE:
            msg.rolemask = self.rolemask

    def may_see(self, event: Message) -> bool:
        """True if ``event`` may be delivered: it is not private, our own, or we are the owner."""
        return not event.flags & c.PRIVATE or self.is_owner or event.userid == self.userid
