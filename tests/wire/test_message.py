"""Messages: payloads in both forms, answers, and the copies that routing makes."""

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, error_response, event, request, response
from support.messages import fields, messages

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=4))
def test_an_object_is_the_same_after_the_wire(payload: dict[str, object]) -> None:
    sent = request("a", payload)
    assert sent.json is payload
    data = sent.data
    assert data is not None
    assert data.endswith(b"\0")
    assert request("a", data).json == payload


def test_a_payload_is_decoded_once() -> None:
    msg = request("a", b'{"k":1}\0')
    assert msg.json is msg.json


@pytest.mark.parametrize(
    "payload",
    [
        None,
        b"",
        b"\0",
        b"{}",  # no NUL
        b"{\0",
        b"[]\0",
        b"1\0",
        b"null\0",
        b'"a"\0',
        b'{"a":NaN}\0',
        b'{"a":1}x\0',
        b"\xff\xff\0",
        b'{"\xff":1}\0',
        b'{"a":"\\ud800"}\0',
        b"[" * 100_000 + b"\0",
        b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"\0",
    ],
)
def test_what_is_no_json_object(payload: bytes | None) -> None:
    with pytest.raises(PayloadError) as caught:
        _ = request("a", payload).json
    assert (caught.value.errno, caught.value.strerror) == (errno.EPROTO, os.strerror(errno.EPROTO))


@given(st.binary(max_size=60))
def test_any_payload_is_an_object_or_refused(data: bytes) -> None:
    try:
        assert type(request("a", data + b"\0").json) is dict
    except PayloadError:
        pass


def test_a_number_beyond_64_bits_is_no_surprise() -> None:
    assert request("a", b'{"a":18446744073709551615}\0').json == {"a": 18446744073709551615}
    assert request("a", b'{"a":18446744073709551616}\0').json == {"a": 18446744073709551616.0}


@given(messages((c.REQUEST,)), st.integers(1, 133))
def test_an_answer_goes_back_the_way_of_its_request(req: Message, errnum: int) -> None:
    for rsp in (response(req, {}), error_response(req, errnum)):
        assert (rsp.topic, rsp.matchtag, rsp.routes) == (req.topic, req.matchtag, req.routes)
        assert rsp.flags == req.flags
    assert response(req).errnum == 0
    assert error_response(req, errnum).errnum == errnum


def test_an_error_without_a_number_is_still_an_error() -> None:
    assert error_response(request("a"), 0).errnum == errno.EINVAL


def test_a_text_that_only_repeats_the_errno_is_left_out() -> None:
    req = request("a")
    assert error_response(req, errno.ENOENT, os.strerror(errno.ENOENT)).data is None
    assert error_response(req, errno.ENOENT, "").data is None
    assert error_response(req, errno.ENOENT, "no cake").data == b"no cake\0"
    assert error_response(req, errno.ENOENT, "no cake").text == "no cake"


@pytest.mark.parametrize(
    ("data", "text"), [(None, None), (b"", None), (b"a\0", "a"), (b"a", "a"), (b"\xff\0", "\ufffd")]
)
def test_an_error_text_is_text_whatever_was_sent(data: bytes | None, text: str | None) -> None:
    assert Message(c.RESPONSE, "a", data, aux1=5).text == text


@given(messages(), st.text("abc", min_size=1))
def test_a_hop_and_back(msg: Message, uuid: str) -> None:
    before = fields(msg)
    hopped = msg.pushed(uuid)
    assert hopped.routes == (*(msg.routes or ()), uuid)
    assert hopped.popped().routes == (msg.routes or ())
    assert fields(msg) == before


def test_copies_change_what_they_say_and_share_the_payload() -> None:
    payload = {"a": 1}
    msg = event("e", payload, userid=5, rolemask=2)
    for copy, changed in (
        (msg.with_creds(1, 9), {"userid": 1, "rolemask": 9}),
        (msg.with_seq(7), {"aux1": 7}),
        (msg.with_matchtag(8), {"aux2": 8}),
        (msg.with_routes(("x",)), {"routes": ("x",)}),
    ):
        assert copy.json is payload
        for name in Message.__slots__:
            if not name.startswith("_"):
                assert getattr(copy, name) == changed.get(name, getattr(msg, name))


def test_the_words_of_each_type() -> None:
    req = request("a", nodeid=3, matchtag=4, flags=c.STREAMING | c.NORESPONSE)
    assert (req.nodeid, req.matchtag, req.streaming, req.noresponse) == (3, 4, True, True)
    assert event("a").with_seq(9).seq == 9
    assert not request("a").has_payload
    assert request("a", b"").has_payload


def test_a_message_shows_what_it_is() -> None:
    shown = repr(request("a.b", {"c": 1}, userid=7))
    assert "request a.b" in shown
    assert "uid=7" in shown
    assert "{'c': 1}" in shown
