"""The message: what brokers route and handles send (RFC 3).

A message is built and sent, and with that given away: inside a process it is handed over as an
object, so the receiver sees the sender's very dictionary, and a payload is never changed again.
Nor is the rest of a request or event that has arrived, for others may keep it: who needs another
route stack, credentials or matchtag makes a new message around the same payload. Only on its way
from who made it a message is changed in place, since nobody else holds it yet: it gets credentials
and its first hop, and a response loses one hop after the other.

The payload is held as bytes, as the decoded object, or as both; each form is made from the
other when first asked for. A message that never leaves the process is therefore never encoded.
"""

import errno
import os
from collections.abc import Mapping
from typing import Any, Final

from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.jsontext import dumps, loads

#: What may be given as a payload: a JSON object, raw bytes as they go on the wire (JSON and
#: other text must end in NUL, CONTRACTS A2), or nothing.
Payload = Mapping[str, Any] | bytes | None

_UNSET: Final = object()


class Message:
    """One RFC 3 message.

    ``aux1`` is the nodeid of a request, the errnum of a response, the sequence number of an
    event, the type of a control message; ``aux2`` is the matchtag of a request or response and
    the status of a control message. ``routes`` is None when the route stack is disabled, else
    the uuids in the order they were pushed (the last one is the top).
    """

    __slots__ = (
        "_data",
        "_object",
        "aux1",
        "aux2",
        "flags",
        "rolemask",
        "routes",
        "topic",
        "type",
        "userid",
    )

    def __init__(
        self,
        type: int,  # noqa: A002 - RFC 3's own word
        topic: str | None = None,
        payload: Payload = None,
        *,
        flags: int = 0,
        userid: int = c.USERID_UNKNOWN,
        rolemask: int = c.ROLE_NONE,
        aux1: int = 0,
        aux2: int = 0,
        routes: tuple[str, ...] | None = None,
    ) -> None:
        self.type = type
        self.topic = topic
        self.flags = flags
        self.userid = userid
        self.rolemask = rolemask
        self.aux1 = aux1
        self.aux2 = aux2
        self.routes = routes
        if payload is None or isinstance(payload, bytes):
            self._data: Any = payload
            self._object: Any = _UNSET
        else:
            self._data = _UNSET
            self._object = payload

    # -- the auxiliary words, by the name they have in each type --------------------------

    @property
    def nodeid(self) -> int:
        """The rank a request is addressed to, or NODEID_ANY."""
        return self.aux1

    @property
    def errnum(self) -> int:
        """The errno of a response, 0 for success."""
        return self.aux1

    @property
    def seq(self) -> int:
        """The sequence number of an event, 0 while it is unpublished."""
        return self.aux1

    @property
    def matchtag(self) -> int:
        """What pairs a response with its request; 0 for none."""
        return self.aux2

    @property
    def noresponse(self) -> bool:
        """True if nobody waits for an answer."""
        return bool(self.flags & c.NORESPONSE)

    @property
    def streaming(self) -> bool:
        """True if the request wants many responses, or the response is one of many."""
        return bool(self.flags & c.STREAMING)

    # -- payload ---------------------------------------------------------------------------

    @property
    def has_payload(self) -> bool:
        """True if there is a payload frame (it may be empty)."""
        return self._data is not None

    @property
    def data(self) -> bytes | None:
        """The payload as it goes on the wire: JSON with its NUL, raw bytes, or None."""
        self.encode()
        data: bytes | None = self._data
        return data

    def encode(self) -> None:
        """Make the payload's bytes now, for a message that goes to another thread.

        :raises TypeError: the payload has no JSON form
        """
        if self._data is _UNSET:
            self._data = encode_json(self._object)

    @property
    def json(self) -> dict[str, Any]:
        """The payload as a JSON object.

        :raises PayloadError: there is none, it does not end in NUL, it is no JSON or no object
        """
        if self._object is _UNSET:
            self._object = decode_json(self._data)
        obj: dict[str, Any] = self._object
        return obj

    @property
    def text(self) -> str | None:
        """The payload as text without its NUL: an error response's message (RFC 6)."""
        data = self.data
        if not data:
            return None
        return data.rstrip(b"\0").decode(errors="replace")

    # -- derived messages ------------------------------------------------------------------

    def _copy(self) -> "Message":
        new = Message.__new__(Message)
        new.type = self.type
        new.topic = self.topic
        new.flags = self.flags
        new.userid = self.userid
        new.rolemask = self.rolemask
        new.aux1 = self.aux1
        new.aux2 = self.aux2
        new.routes = self.routes
        new._data = self._data
        new._object = self._object
        return new

    def pushed(self, uuid: str) -> "Message":
        """This message with ``uuid`` on top of its route stack, enabling the stack if need be."""
        new = self._copy()
        new.routes = (*(self.routes or ()), uuid)
        return new

    def popped(self) -> "Message":
        """This message without the top of its route stack."""
        new = self._copy()
        routes = self.routes
        assert routes, "an empty route stack has no top"
        new.routes = routes[:-1]
        return new

    def with_routes(self, routes: tuple[str, ...] | None) -> "Message":
        """This message with another route stack."""
        new = self._copy()
        new.routes = routes
        return new

    def with_creds(self, userid: int, rolemask: int) -> "Message":
        """This message under other credentials (RFC 12)."""
        new = self._copy()
        new.userid = userid
        new.rolemask = rolemask
        return new

    def with_seq(self, seq: int) -> "Message":
        """This event, published with sequence number ``seq``."""
        new = self._copy()
        new.aux1 = seq
        return new

    def with_matchtag(self, matchtag: int) -> "Message":
        """This request under another matchtag."""
        new = self._copy()
        new.aux2 = matchtag
        return new

    def __repr__(self) -> str:
        kind = c.TYPE_NAMES.get(self.type, str(self.type))
        aux = {c.REQUEST: "node", c.RESPONSE: "errnum", c.EVENT: "seq"}.get(self.type, "ctl")
        payload = self._object if self._data is _UNSET else self._data
        return (
            f"<{kind} {self.topic} flags={self.flags:#x} uid={self.userid} role={self.rolemask}"
            f" tag={self.aux2} routes={self.routes} {aux}={self.aux1} {payload!r}>"
        )


def encode_json(obj: Mapping[str, Any]) -> bytes:
    """``obj`` as compact JSON with the NUL that RFC 3 text ends in.

    :raises TypeError: the object has no JSON form
    """
    return dumps(obj) + b"\0"


def decode_json(data: bytes | None) -> dict[str, Any]:
    """The JSON object that a payload holds; see :attr:`Message.json`."""
    if not data or data[-1] != 0:
        raise PayloadError
    try:
        obj = loads(data[:-1])
    except ValueError:
        raise PayloadError from None
    if type(obj) is not dict:
        raise PayloadError
    return obj


def request(
    topic: str,
    payload: Payload = None,
    *,
    nodeid: int = c.NODEID_ANY,
    matchtag: int = 0,
    flags: int = 0,
    userid: int = c.USERID_UNKNOWN,
    rolemask: int = c.ROLE_NONE,
) -> Message:
    """A request to ``topic``; without a matchtag and with NORESPONSE nobody waits for it."""
    return Message(
        c.REQUEST,
        topic,
        payload,
        flags=flags,
        userid=userid,
        rolemask=rolemask,
        aux1=nodeid,
        aux2=matchtag,
    )


def response(
    req: Message, payload: Payload = None, *, userid: int = c.USERID_UNKNOWN, rolemask: int = 0
) -> Message:
    """The answer to ``req``: it copies the flags, matchtag and route stack (RFC 3)."""
    return Message(
        c.RESPONSE,
        req.topic,
        payload,
        flags=req.flags,
        userid=userid,
        rolemask=rolemask,
        aux2=req.aux2,
        routes=req.routes,
    )


def error_response(
    req: Message,
    errnum: int,
    text: str | None = None,
    *,
    userid: int = c.USERID_UNKNOWN,
    rolemask: int = 0,
) -> Message:
    """The failure of ``req``; a text that only repeats the errno's is left out (RFC 6)."""
    data = None
    if text and text != os.strerror(errnum):
        data = text.encode(errors="replace") + b"\0"
    return Message(
        c.RESPONSE,
        req.topic,
        data,
        flags=req.flags,
        userid=userid,
        rolemask=rolemask,
        aux1=errnum or errno.EINVAL,
        aux2=req.aux2,
        routes=req.routes,
    )


def unsendable(msg: Message, exc: TypeError) -> Message:
    """What is sent in place of the response ``msg``, whose payload has no JSON form.

    In the process it was made in nobody has noticed, for there it is never encoded.
    """
    text = f"internal error: {msg.topic}: {exc}"
    return error_response(msg, errno.EIO, text, userid=msg.userid, rolemask=msg.rolemask)


def event(
    topic: str,
    payload: Payload = None,
    *,
    flags: int = 0,
    userid: int = c.USERID_UNKNOWN,
    rolemask: int = c.ROLE_NONE,
) -> Message:
    """An event, not yet published: rank 0 gives it its sequence number (CONTRACTS A17)."""
    return Message(c.EVENT, topic, payload, flags=flags, userid=userid, rolemask=rolemask)


def control(kind: int, status: int = 0) -> Message:
    """A control message between overlay peers (CONTRACTS A18)."""
    return Message(c.CONTROL, aux1=kind, aux2=status)
