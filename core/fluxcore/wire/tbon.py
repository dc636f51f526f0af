"""The overlay codec: one msgpack array a message, one ZeroMQ frame a message.

The TBON is between our own brokers only, so it need not be RFC 3. The array is
``[type, flags, userid, rolemask, aux1, aux2, routes, topic, payload]``; the payload stays
opaque bytes, so a broker on the way routes a message without decoding what it carries.
"""

from typing import Any, Final

import msgpack

from fluxcore.wire import constants as c
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message
from fluxcore.wire.rfc3 import MAX_ROUTES, MAX_SIZE

_U32_MAX: Final = 0xFFFFFFFF
_FIELDS: Final = 9


def encode(msg: Message) -> bytes:
    """``msg`` as one frame."""
    frame: bytes = msgpack.packb(
        (
            msg.type,
            msg.flags,
            msg.userid,
            msg.rolemask,
            msg.aux1,
            msg.aux2,
            msg.routes,
            msg.topic,
            msg.data,
        )
    )
    return frame


def decode(frame: bytes) -> Message:
    """The message in ``frame``.

    :raises WireError: the frame is no message, or one of its lengths is out of bounds
    """
    try:
        fields = msgpack.unpackb(
            frame,
            max_bin_len=MAX_SIZE,
            max_str_len=MAX_SIZE,
            max_array_len=MAX_ROUTES,
            max_map_len=0,
            max_ext_len=0,
            use_list=False,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as exc:
        raise WireError(f"frame is no message: {exc}") from None
    if type(fields) is not tuple or len(fields) != _FIELDS:
        raise WireError("frame is no message")
    type_, flags, userid, rolemask, aux1, aux2, routes, topic, payload = fields
    if not _is_u32(type_, flags, userid, rolemask, aux1, aux2) or type_ not in c.TYPE_NAMES:
        raise WireError("frame has a bad header")
    if not (routes is None or _is_route_stack(routes)):
        raise WireError("frame has a bad route stack")
    if not (topic is None or type(topic) is str):
        raise WireError("frame has a bad topic")
    if not (payload is None or type(payload) is bytes):
        raise WireError("frame has a bad payload")
    return Message(
        type_,
        topic,
        payload,
        flags=flags & c.SEMANTIC_FLAGS,
        userid=userid,
        rolemask=rolemask,
        aux1=aux1,
        aux2=aux2,
        routes=routes,
    )


def _is_u32(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value <= _U32_MAX for value in values)


def _is_route_stack(routes: Any) -> bool:
    return type(routes) is tuple and all(type(uuid) is str for uuid in routes)
