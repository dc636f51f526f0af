"""Posing as somebody else: the instance owner may, to test what guests may do (CONTRACTS A5)."""

import errno
import os
from collections.abc import Mapping
from typing import NamedTuple

from fluxcore.handle.errors import rpc_error
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


class Creds(NamedTuple):
    """What a connection puts on its messages; the broker fills in what is unknown here."""

    userid: int = c.USERID_UNKNOWN
    rolemask: int = c.ROLE_NONE

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Creds":
        """Those of FLUX_HANDLE_USERID and FLUX_HANDLE_ROLEMASK.

        :raises OSError: EINVAL, naming the variable that is no number
        """
        return cls(
            _number(environ, "FLUX_HANDLE_USERID", c.USERID_UNKNOWN),
            _number(environ, "FLUX_HANDLE_ROLEMASK", c.ROLE_NONE),
        )

    def stamp(self, msg: Message) -> None:
        """Put them on a message that has none and is about to be sent."""
        if msg.userid == c.USERID_UNKNOWN and msg.type != c.RESPONSE:
            msg.userid = self.userid
            msg.rolemask = self.rolemask


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if text is None:
        return default
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= c.USERID_UNKNOWN:
        raise rpc_error(errno.EINVAL, f"{name}={text} is no 32-bit number")
    return value
