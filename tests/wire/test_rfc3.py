"""The RFC 3 codec: round trips, and what comes out of bytes that are no message."""

import errno
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.wire import constants as c
from fluxcore.wire import rfc3
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message, control, event, request
from support.messages import fields, messages


@given(messages())
def test_round_trip(msg: Message) -> None:
    assert fields(rfc3.decode_frames(rfc3.encode_frames(msg))) == fields(msg)


def test_the_header_of_a_stream_holds_the_length_of_what_follows() -> None:
    encoded = rfc3.encode(request("a.b"))
    assert encoded[:4].hex() == "1200eeff"  # the host order of flux-core's machines
    assert int.from_bytes(encoded[4:8], "big") == len(encoded) - 8
    assert encoded[8:] == rfc3.encode_frames(request("a.b"))


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ("", "no proto frame"),
        ("00" * 20, "no proto frame"),
        ("13" + "00" * 20, "no proto frame"),
        ("148f010400" + "00" * 16, "bad proto frame"),  # magic
        ("148e020400" + "00" * 16, "bad proto frame"),  # version
        ("148e010000" + "00" * 16, "bad proto frame"),  # no type
        ("148e010300" + "00" * 16, "bad proto frame"),  # two types
        ("148e010401" + "00" * 16, "a frame is missing"),  # topic announced
        ("148e010402" + "00" * 16, "a frame is missing"),  # payload announced
        ("148e010408" + "00" * 16, "a frame is missing"),  # route announced
        ("0161148e010400" + "00" * 16, "frames do not match the flags"),
        ("0161148e010408" + "00" * 16, "a frame is missing"),  # a route without its end
        ("0561148e010401" + "00" * 16, "a frame is cut short"),
        ("ff0061148e010401" + "00" * 16, "a frame is cut short"),
        ("ffffffffff148e010402" + "00" * 16, "a frame is cut short"),
        ("01ff148e010401" + "00" * 16, "topic or route is no UTF-8"),
        ("01ff00148e010408" + "00" * 16, "topic or route is no UTF-8"),
    ],
)
def test_what_is_no_message(frames: str, why: str) -> None:
    with pytest.raises(WireError) as caught:
        rfc3.decode_frames(bytes.fromhex(frames))
    assert (caught.value.errno, caught.value.strerror) == (errno.EPROTO, why)


def test_a_route_stack_is_bounded() -> None:
    deep = request("a").with_routes(("u",) * rfc3.MAX_ROUTES)
    assert rfc3.decode_frames(rfc3.encode_frames(deep)).routes == deep.routes
    with pytest.raises(WireError, match="too deep"):
        rfc3.decode_frames(rfc3.encode_frames(deep.pushed("u")))


def test_flags_that_only_tell_the_layout_are_not_kept() -> None:
    msg = event("a", b"x").with_routes(("u",))
    assert rfc3.encode_frames(msg)[-17] == c.TOPIC | c.PAYLOAD | c.ROUTE
    assert rfc3.decode_frames(rfc3.encode_frames(msg)).flags == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    with suppress(WireError):
        rfc3.decode_frames(data)


@settings(max_examples=50)
@given(messages(), st.data())
def test_a_damaged_message_is_another_message_or_refused(msg: Message, data: st.DataObject) -> None:
    encoded = bytearray(rfc3.encode_frames(msg))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = rfc3.decode_frames(bytes(encoded))
    except WireError:
        return
    # What was taken for a message is one: it means the same when it is sent on.
    assert fields(rfc3.decode_frames(rfc3.encode_frames(decoded))) == fields(decoded)


def test_a_control_message_has_no_topic() -> None:
    decoded = rfc3.decode_frames(rfc3.encode_frames(control(2, 3)))
    assert (decoded.type, decoded.topic, decoded.aux1, decoded.aux2) == (c.CONTROL, None, 2, 3)
