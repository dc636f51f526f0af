"""Cutting a byte stream into messages, whatever pieces it comes in."""

import errno
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.wire import rfc3
from fluxcore.wire.errors import WireError
from fluxcore.wire.message import Message, request
from support.messages import fields, messages

THREE = [request("a"), request("b.c", {"k": 1}), request("d", b"\xff" * 300, matchtag=7)]
STREAM = b"".join(rfc3.encode(msg) for msg in THREE)


def test_every_split_gives_the_same_messages() -> None:
    for cut in range(len(STREAM) + 1):
        reader = rfc3.Reader()
        got = [*reader.feed(STREAM[:cut]), *reader.feed(STREAM[cut:])]
        assert [fields(msg) for msg in got] == [fields(msg) for msg in THREE]
        assert reader.buffered == 0


def test_byte_by_byte() -> None:
    reader = rfc3.Reader()
    got = [msg for byte in STREAM for msg in reader.feed(bytes((byte,)))]
    assert [msg.topic for msg in got] == ["a", "b.c", "d"]


@settings(max_examples=40)
@given(st.lists(messages(), max_size=6), st.lists(st.integers(1, 400), max_size=12))
def test_any_pieces(sent: list[Message], sizes: list[int]) -> None:
    stream = b"".join(rfc3.encode(msg) for msg in sent)
    reader, got, pos = rfc3.Reader(), [], 0
    for size in [*sizes, len(stream)]:
        got += reader.feed(stream[pos : pos + size])
        pos += size
    assert [fields(msg) for msg in got] == [fields(msg) for msg in sent]


def test_bytes_are_kept_only_for_a_message_that_is_not_complete() -> None:
    reader = rfc3.Reader()
    assert [msg.topic for msg in reader.feed(STREAM[:-1])] == ["a", "b.c"]
    assert reader.buffered == len(rfc3.encode(THREE[2])) - 1
    assert [msg.topic for msg in reader.feed(STREAM[-1:])] == ["d"]
    assert reader.buffered == 0


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_what_came_before_a_broken_message_is_still_handled(cut: int) -> None:
    reader, got = rfc3.Reader(), list[Message]()
    broken = STREAM + rfc3.MAGIC + (21).to_bytes(4, "big") + b"\0" * 21
    with pytest.raises(WireError, match="no proto frame"):  # noqa: PT012 - where is the point
        for piece in (broken[:cut], broken[cut:]):
            got.extend(reader.feed(piece))
    assert [msg.topic for msg in got] == ["a", "b.c", "d"]


@pytest.mark.parametrize("length", [101, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_is_refused_before_anything_is_kept(length: int) -> None:
    reader = rfc3.Reader(max_size=100)
    with pytest.raises(WireError, match=f"a message of {length} bytes is too long") as caught:
        list(reader.feed(rfc3.MAGIC + length.to_bytes(4, "big") + b"x" * 50))
    assert caught.value.errno == errno.EPROTO
    assert reader.buffered == 0


def test_the_longest_message_is_taken() -> None:
    msg = request("a", b"x" * 100)
    size = len(rfc3.encode_frames(msg))
    assert len(list(rfc3.Reader(max_size=size).feed(rfc3.encode(msg)))) == 1
    with pytest.raises(WireError):
        list(rfc3.Reader(max_size=size - 1).feed(rfc3.encode(msg)))


def test_by_default_the_longest_message_holds_a_blob_of_a_gibibyte() -> None:
    assert list(rfc3.Reader().feed(rfc3.MAGIC + (1 << 30).to_bytes(4, "big"))) == []
    with pytest.raises(WireError, match="too long"):
        list(rfc3.Reader().feed(rfc3.MAGIC + (1 << 31).to_bytes(4, "big")))


@pytest.mark.parametrize("magic", ["ffee0012", "12000000", "00000000"])
def test_another_magic_ends_the_stream(magic: str) -> None:
    with pytest.raises(WireError, match="bad magic"):
        list(rfc3.Reader().feed(bytes.fromhex(magic) + b"\0\0\0\x15"))


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_stream_is_messages_or_refused(pieces: list[bytes]) -> None:
    reader = rfc3.Reader(max_size=1000)
    with suppress(WireError):
        for piece in pieces:
            for msg in reader.feed(piece):
                assert isinstance(msg, Message)


@settings(max_examples=40)
@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_a_damaged_stream_is_messages_or_refused(sent: list[Message], data: st.DataObject) -> None:
    stream = bytearray(b"".join(rfc3.encode(msg) for msg in sent))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(stream)))
    reader = rfc3.Reader(max_size=10_000)
    with suppress(WireError):
        for piece in (bytes(stream[:cut]), bytes(stream[cut:])):
            for msg in reader.feed(piece):
                rfc3.encode(msg)
    assert reader.buffered <= 10_000 + rfc3.HEADER_SIZE
