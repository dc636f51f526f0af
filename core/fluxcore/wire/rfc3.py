"""The RFC 3 codec: what travels on a local connector's stream socket.

A message on the socket is 4 bytes magic, 4 bytes length (big endian, of what follows), then the
frames: the route stack top first and closed by an empty frame, the topic, the payload, and
always last the proto frame. A frame is its length (one byte below 255, else ff and a u32) and
its bytes. flux-core writes the magic in host order, so on the machines Flux runs on it is
``12 00 ee ff`` (CONTRACTS A1-A3).
"""

import struct
from collections.abc import Iterator
from typing import Final

from fluxcore.wire import constants as c
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message

MAGIC: Final = (0xFFEE0012).to_bytes(4, "little")
HEADER_SIZE: Final = 8

#: The longest message believed: a blob of flux-core's limit (1 GiB) and room for its frames.
MAX_SIZE: Final = (1 << 30) + (1 << 16)
#: A route stack longer than this comes from no real tree.
MAX_ROUTES: Final = 256

_PROTO: Final = struct.Struct(">BBBBIIII")
_PROTO_MAGIC: Final = 0x8E
_PROTO_VERSION: Final = 1
_PROTO_FRAME: Final = 1 + _PROTO.size
_U32: Final = struct.Struct(">I")


def _frame(data: bytes) -> bytes:
    size = len(data)
    if size < 0xFF:
        return bytes((size,)) + data
    return b"\xff" + _U32.pack(size) + data


def encode_frames(msg: Message) -> bytes:
    """The frames of ``msg`` without the socket header."""
    flags = msg.flags
    out = bytearray()
    routes = msg.routes
    if routes is not None:
        flags |= c.ROUTE
        for uuid in reversed(routes):
            out += _frame(uuid.encode())
        out.append(0)
    if msg.topic is not None:
        flags |= c.TOPIC
        out += _frame(msg.topic.encode())
    data = msg.data
    if data is not None:
        flags |= c.PAYLOAD
        out += _frame(data)
    out.append(_PROTO.size)
    out += _PROTO.pack(
        _PROTO_MAGIC,
        _PROTO_VERSION,
        msg.type,
        flags,
        msg.userid,
        msg.rolemask,
        msg.aux1,
        msg.aux2,
    )
    return bytes(out)


def encode(msg: Message) -> bytes:
    """``msg`` as it goes on a stream socket."""
    frames = encode_frames(msg)
    return MAGIC + _U32.pack(len(frames)) + frames


def decode_frames(body: bytes) -> Message:
    """The message in ``body``, which holds its frames and nothing else.

    :raises WireError: the bytes are no message
    """
    end = len(body) - _PROTO_FRAME
    if end < 0 or body[end] != _PROTO.size:
        raise WireError("no proto frame")
    magic, version, type_, flags, userid, rolemask, aux1, aux2 = _PROTO.unpack_from(body, end + 1)
    if magic != _PROTO_MAGIC or version != _PROTO_VERSION or type_ not in c.TYPE_NAMES:
        raise WireError("bad proto frame")
    pos = 0
    routes: tuple[str, ...] | None = None
    topic: str | None = None
    payload: bytes | None = None
    try:
        if flags & c.ROUTE:
            routes, pos = _decode_routes(body, end)
        if flags & c.TOPIC:
            frame, pos = _take(body, pos, end)
            topic = frame.decode()
        if flags & c.PAYLOAD:
            payload, pos = _take(body, pos, end)
    except UnicodeDecodeError:
        raise WireError("topic or route is no UTF-8") from None
    if pos != end:
        raise WireError("frames do not match the flags")
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


def _take(body: bytes, pos: int, end: int) -> tuple[bytes, int]:
    """The frame at ``pos`` and the position after it."""
    if pos >= end:
        raise WireError("a frame is missing")
    size = body[pos]
    pos += 1
    if size == 0xFF:
        if pos + 4 > end:
            raise WireError("a frame is cut short")
        (size,) = _U32.unpack_from(body, pos)
        pos += 4
    stop = pos + size
    if stop > end:
        raise WireError("a frame is cut short")
    return body[pos:stop], stop


def _decode_routes(body: bytes, end: int) -> tuple[tuple[str, ...], int]:
    stack: list[str] = []
    pos = 0
    while True:
        frame, pos = _take(body, pos, end)
        if not frame:
            stack.reverse()
            return tuple(stack), pos
        if len(stack) == MAX_ROUTES:
            raise WireError("route stack is too deep")
        stack.append(frame.decode())


class Reader:
    """Cuts a byte stream into messages.

    Feed what the socket gave; out come the messages that are complete. Bytes are only kept
    while a message is incomplete, and a length beyond ``max_size`` is refused when its header
    arrives, before anything is kept for it.
    """

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._rest = bytearray()
        self._need = HEADER_SIZE

    @property
    def buffered(self) -> int:
        """The number of bytes held for a message that is not complete yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes, in order; to be taken to the end.

        Those before a broken one come first, wherever the stream was cut into pieces.

        :raises WireError: the stream is broken from here on and must be closed
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        pos, size = 0, len(data)
        while size - pos >= HEADER_SIZE:
            length = self._length(data, pos)
            start = pos + HEADER_SIZE
            if size - start < length:
                self._keep(data, pos, HEADER_SIZE + length)
                return
            pos = start + length
            yield decode_frames(data[start:pos])
        if pos < size:
            self._keep(data, pos, HEADER_SIZE)

    def _keep(self, data: bytes, pos: int, need: int) -> None:
        self._rest += data[pos:]
        self._need = need

    def _length(self, data: bytes, pos: int) -> int:
        if data[pos : pos + 4] != MAGIC:
            raise WireError("bad magic")
        (length,) = _U32.unpack_from(data, pos + 4)
        if length > self._max_size:
            raise WireError(f"a message of {length} bytes is too long")
        return int(length)
