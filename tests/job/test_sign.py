"""Signed jobspecs: flux-core's bytes, and its words for what is no signature."""

import base64
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job import sign

# As flux-core 0.88 sends it for userid 0.
HEADER = "dmVyc2lvbgBpMQB1c2VyaWQAaTAAbWVjaGFuaXNtAHNub25lAA=="


def test_the_bytes_of_flux_core() -> None:
    assert sign.wrap(b"{}", 0) == f"{HEADER}.e30=.none"
    assert sign.unwrap(f"{HEADER}.e30=.none") == (b"{}", 0)


@given(st.binary(), st.integers(0, 2**32 - 1))
def test_what_is_wrapped_is_unwrapped(payload: bytes, userid: int) -> None:
    assert sign.unwrap(sign.wrap(payload, userid)) == (payload, userid)


def header(text: str) -> str:
    return base64.b64encode(text.encode()).decode() + ".e30=.none"


def test_the_keys_may_come_in_any_order() -> None:
    assert sign.unwrap(header("userid\0i7\0mechanism\0snone\0version\0i1\0")) == (b"{}", 7)


@pytest.mark.parametrize(
    "signed",
    [
        "",
        "x",
        "..",
        f"{HEADER}.e30=",
        f"{HEADER}.e30=.munge",
        f"{HEADER}.e30=.none.",
        f"{HEADER}.e3.none",
        f"{HEADER}.e3$0.none",
        f"{HEADER}.é.none",
        "é.e30=.none",
        f"{HEADER[:-2]}.e30=.none",
        header(""),
        header("version\0i1\0userid\0i0\0mechanism\0snone"),
        header("version\0i1\0userid\0i0\0"),
        header("version\0i1\0userid\0i0\0mechanism\0snone\0more\0sx\0"),
        header("version\0i2\0userid\0i0\0mechanism\0snone\0"),
        header("version\0i1\0userid\0i0\0mechanism\0smunge\0"),
        header("version\0i1\0userid\0s0\0mechanism\0snone\0"),
        header("version\0i1\0userid\0i-1\0mechanism\0snone\0"),
        header("version\0i1\0userid\0i4294967296\0mechanism\0snone\0"),
        header("version\0i1\0userid\0i\0mechanism\0snone\0"),
    ],
)
def test_what_is_no_signature_is_refused(signed: str) -> None:
    with pytest.raises(OSError) as caught:
        sign.unwrap(signed)
    assert caught.value.errno == errno.EINVAL
    assert caught.value.strerror == "could not unwrap jobspec: Invalid argument"


@given(st.text())
def test_any_text_is_a_signature_or_invalid(text: str) -> None:
    try:
        sign.unwrap(text)
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise


@pytest.mark.parametrize(
    ("requestor", "is_owner", "text"),
    [
        (8, True, "signer=7 != requestor=8"),
        (8, False, "signer=7 != requestor=8"),
        (7, False, "only instance owner can use sign-type=none"),
    ],
)
def test_whose_signature_counts(requestor: int, is_owner: bool, text: str) -> None:
    with pytest.raises(PermissionError) as caught:
        sign.unwrap_from(sign.wrap(b"x", 7), requestor, is_owner=is_owner)
    assert caught.value.strerror == text


def test_the_owner_may_sign_for_himself() -> None:
    assert sign.unwrap_from(sign.wrap(b"x", 7), 7, is_owner=True) == b"x"
