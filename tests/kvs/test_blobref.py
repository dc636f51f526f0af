import errno
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs.blobref import (
    HASH_TYPES,
    blobref,
    hash_type,
    to_digest,
    valid_blobref,
)


def test_a_blobref_is_the_hash_and_its_digest_in_hex() -> None:
    # The example of RFC 10, which is the digest of "foo\n".
    assert blobref(b"foo\n") == "sha1-f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"
    assert blobref(b"") == "sha1-da39a3ee5e6b4b0d3255bfef95601890afd80709"


@given(st.binary(), st.sampled_from(sorted(HASH_TYPES)))
def test_digest_and_text_are_the_same_name(data: bytes, name: str) -> None:
    kind = hash_type(name)
    ref = blobref(data, kind)
    assert valid_blobref(ref)
    assert to_digest(ref) == hashlib.new(name, data).digest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha1",
        "sha1-",
        "sha1-" + "0" * 39,
        "sha1-" + "0" * 41,
        "sha1-" + "A" * 40,
        "sha1-" + "0" * 39 + "g",
        "sha1-" + "0" * 40 + "\n",
        "md5-" + "0" * 32,
        "sha256-" + "0" * 40,
        "0" * 40,
        None,
        7,
    ],
)
def test_what_is_no_blobref(text: object) -> None:
    assert not valid_blobref(text)
    with pytest.raises(OSError) as caught:
        to_digest(text)  # type: ignore[arg-type]
    assert caught.value.errno == errno.EINVAL


def test_an_unknown_hash_is_refused() -> None:
    with pytest.raises(OSError) as caught:
        hash_type("md5")
    assert caught.value.errno == errno.EINVAL
