import errno
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs import batch


@given(st.lists(st.binary(max_size=50)))
def test_what_is_packed_is_unpacked(blobs: list[bytes]) -> None:
    assert batch.unpack(batch.pack(blobs)) == blobs


@pytest.mark.parametrize(
    "payload", [None, b"", b"x", b"\x80", b"\x91\xa1x", b"\x91", b"\x90\x90", b'{"a":1}\0']
)
def test_what_is_no_batch(payload: bytes | None) -> None:
    with pytest.raises(OSError) as caught:
        batch.unpack(payload)
    assert caught.value.errno == errno.EPROTO


@given(st.binary(max_size=50))
def test_anything_is_a_batch_or_refused(payload: bytes) -> None:
    with suppress(OSError):
        assert all(type(blob) is bytes for blob in batch.unpack(payload))


def test_small_blobs_go_together_and_large_ones_alone() -> None:
    large = b"x" * (batch.SMALL + 1)
    blobs = {"a": b"", "b": large, "c": large[1:], "d": large}
    assert batch.parts(blobs, "abcd") == [["b"], ["d"], ["a", "c"]]
    assert batch.parts(blobs, "bd") == [["b"], ["d"]]
    assert batch.parts(blobs, "") == []
