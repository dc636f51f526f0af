"""The overlay codec: round trips, and what is dropped."""

import errno
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.wire import tbon
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message, request
from fluxcore.wire.rfc3 import MAX_ROUTES
from support.messages import fields, messages

GOOD = [1, 0, 0, 0, 0, 0, ["u"], "a.b", b"x"]


@given(messages())
def test_round_trip(msg: Message) -> None:
    assert fields(tbon.decode(tbon.encode(msg))) == fields(msg)


def test_a_json_payload_travels_as_the_bytes_that_rfc_3_has() -> None:
    encoded = tbon.encode(request("a", {"b": 1}))
    assert msgpack.unpackb(encoded)[-1] == b'{"b":1}\0'


@pytest.mark.parametrize(
    "array",
    [
        GOOD[:-1],
        [*GOOD, None],
        [3, *GOOD[1:]],  # no type
        [True, *GOOD[1:]],
        [1, -1, *GOOD[2:]],
        [1, 1 << 32, *GOOD[2:]],
        [1, "0", *GOOD[2:]],
        [*GOOD[:6], "u", *GOOD[7:]],
        [*GOOD[:6], [1], *GOOD[7:]],
        [*GOOD[:6], [b"u"], *GOOD[7:]],
        [*GOOD[:7], b"a.b", b"x"],
        [*GOOD[:7], 5, b"x"],
        [*GOOD[:8], "x"],
        [*GOOD[:8], {}],
        "text",
        None,
    ],
)
def test_what_is_no_message(array: Any) -> None:
    with pytest.raises(WireError) as caught:
        tbon.decode(msgpack.packb(array))
    assert caught.value.errno == errno.EPROTO


def test_a_route_stack_is_bounded() -> None:
    deep = request("a").with_routes(("u",) * MAX_ROUTES)
    assert tbon.decode(tbon.encode(deep)).routes == deep.routes
    with pytest.raises(WireError):
        tbon.decode(tbon.encode(deep.pushed("u")))


def test_a_length_is_refused_before_it_is_believed() -> None:
    for head in (b"\xdd", b"\xc6", b"\xdb", b"\xdf", b"\xc9"):  # array, bin, str, map, ext
        with pytest.raises(WireError):
            tbon.decode(b"\x99" + head + b"\xff\xff\xff\xff")


def test_nesting_is_bounded() -> None:
    with pytest.raises(WireError):
        tbon.decode(b"\x91" * 100_000)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    with suppress(WireError):
        tbon.decode(data)


@settings(max_examples=50)
@given(messages(), st.data())
def test_a_damaged_frame_is_another_message_or_refused(msg: Message, data: st.DataObject) -> None:
    encoded = bytearray(tbon.encode(msg))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = tbon.decode(bytes(encoded))
    except WireError:
        return
    assert fields(tbon.decode(tbon.encode(decoded))) == fields(decoded)
