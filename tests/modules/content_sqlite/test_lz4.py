import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.modules.content_sqlite.lz4 import decompress


def length(count: int) -> bytes:
    """What follows the four bits of a length."""
    if count < 15:
        return b""
    return b"\xff" * ((count - 15) // 255) + bytes([(count - 15) % 255])


def compress(pieces: list[tuple[bytes, int, int]], rest: bytes) -> tuple[bytes, bytes]:
    """A block of literals and (offset, count) matches; the block and what it stands for."""
    block, out = b"", b""
    for literal, offset, count in pieces:
        out += literal
        offset = min(offset, len(out))
        if not offset:
            continue
        token = min(len(literal), 15) << 4 | min(count - 4, 15)
        block += bytes([token]) + length(len(literal)) + literal
        block += offset.to_bytes(2, "little") + length(count - 4)
        for _ in range(count):
            out += out[-offset : len(out) - offset + 1]
    return block + bytes([min(len(rest), 15) << 4]) + length(len(rest)) + rest, out + rest


PIECES = st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 60), st.integers(4, 600))


@given(st.lists(PIECES, max_size=5), st.binary(max_size=300))
def test_a_block_is_what_it_stands_for(pieces: list[tuple[bytes, int, int]], rest: bytes) -> None:
    block, out = compress(pieces, rest)
    assert decompress(block, len(out)) == out


@given(st.binary(max_size=60), st.integers(0, 300))
def test_anything_else_is_refused_and_never_larger_than_it_says(data: bytes, size: int) -> None:
    try:
        out = decompress(data, size)
    except OSError as exc:
        assert exc.errno == errno.EINVAL  # noqa: PT017
    else:
        assert len(out) == size


@pytest.mark.parametrize(
    ("block", "size"),
    [
        (b"", 0),
        (b"\x10", 1),
        (b"\x00", 1),
        (b"\x10a\x00\x00", 6),
        (b"\x10a\x02\x00\x00", 5),
        (b"\x1fa\x01\x00\xff\xff\xff\xff\x00", 20),
    ],
)
def test_blocks_that_are_broken(block: bytes, size: int) -> None:
    with pytest.raises(OSError) as caught:
        decompress(block, size)
    assert caught.value.errno == errno.EINVAL
