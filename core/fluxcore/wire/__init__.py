"""Bytes to messages and back, without IO.

Two codecs share one :class:`Message`: :mod:`~fluxcore.wire.rfc3` is what a local connector
speaks, byte for byte as flux-core does; :mod:`~fluxcore.wire.tbon` is what our own brokers
speak to each other.
"""

from fluxcore.wire.constants import (
    CONTROL,
    EVENT,
    NODEID_ANY,
    NORESPONSE,
    PRIVATE,
    REQUEST,
    RESPONSE,
    ROLE_ALL,
    ROLE_LOCAL,
    ROLE_OWNER,
    ROLE_USER,
    STREAMING,
    UPSTREAM,
    USER1,
    USERID_UNKNOWN,
)
from fluxcore.wire.errors import PayloadError, WireError
from fluxcore.wire.message import (
    Message,
    Payload,
    control,
    error_response,
    event,
    request,
    response,
)

__all__ = [
    "CONTROL",
    "EVENT",
    "NODEID_ANY",
    "NORESPONSE",
    "PRIVATE",
    "REQUEST",
    "RESPONSE",
    "ROLE_ALL",
    "ROLE_LOCAL",
    "ROLE_OWNER",
    "ROLE_USER",
    "STREAMING",
    "UPSTREAM",
    "USER1",
    "USERID_UNKNOWN",
    "Message",
    "Payload",
    "PayloadError",
    "WireError",
    "control",
    "error_response",
    "event",
    "request",
    "response",
]
