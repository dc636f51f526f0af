"""Kept requests: streams to feed, waiters to answer, and who may end them (A7, A15, A16)."""

import errno

import pytest

from fluxcore.handle.core import HandleCore
from fluxcore.handle.requests import RequestList, sender
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, Payload, request


class Wire:
    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.list = RequestList(HandleCore(self.sent.append))

    def take(self) -> list[tuple[str, int, int]]:
        """What was sent since the last look: to whom, under which tag, with which errno."""
        sent = [(sender(m), m.matchtag, m.errnum) for m in self.sent]
        self.sent.clear()
        return sent


def req(
    who: str,
    tag: int,
    payload: Payload = None,
    *,
    stream: bool = True,
    userid: int = 100,
    rolemask: int = c.ROLE_USER,
) -> Message:
    flags = c.STREAMING if stream else 0
    msg = request("a.b", payload, matchtag=tag, flags=flags, userid=userid, rolemask=rolemask)
    return msg.pushed(who).pushed("broker")


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_response_goes_to_each_and_ends_those_that_are_no_streams(wire: Wire) -> None:
    for msg in (req("a", 1), req("a", 2, stream=False), req("b", 1)):
        wire.list.add(msg)
    wire.list.respond({"n": 1})
    assert wire.take() == [("a", 1, 0), ("a", 2, 0), ("b", 1, 0)]
    wire.list.respond({"n": 2})
    assert wire.take() == [("a", 1, 0), ("b", 1, 0)]
    wire.list.end()
    assert wire.take() == [("a", 1, errno.ENODATA), ("b", 1, errno.ENODATA)]
    wire.list.end(errno.ENOENT)
    assert wire.take() == []


def test_a_client_cancels_its_own(wire: Wire) -> None:
    for msg in (req("a", 1), req("a", 2), req("b", 1)):
        wire.list.add(msg)
    assert wire.list.cancel(req("c", 0, {"matchtag": 1})) is None
    assert wire.list.cancel(req("a", 0, {"matchtag": 3})) is None
    ended = wire.list.cancel(req("a", 0, {"matchtag": 2}))
    assert ended is not None
    assert wire.take() == [("a", 2, errno.ENODATA)]
    assert [sender(msg) for msg in wire.list] == ["a", "b"]


def test_a_cancel_without_a_matchtag_is_refused(wire: Wire) -> None:
    for payload in (None, {}, {"matchtag": "1"}):
        with pytest.raises(PayloadError):
            wire.list.cancel(req("a", 0, payload))


def test_a_disconnect_forgets_all_of_its_sender(wire: Wire) -> None:
    for msg in (req("a", 1), req("b", 1), req("a", 2)):
        wire.list.add(msg)
    assert [m.matchtag for m in wire.list.disconnect(req("a", 0))] == [1, 2]
    assert [sender(msg) for msg in wire.list] == ["b"]
    assert wire.take() == []


def test_a_guest_that_claims_to_be_another_sender_ends_nothing(wire: Wire) -> None:
    wire.list.add(req("a", 1, userid=100))
    assert wire.list.cancel(req("a", 0, {"matchtag": 1}, userid=200)) is None
    assert wire.list.disconnect(req("a", 0, userid=200)) == []
    assert len(wire.list) == 1
    assert wire.list.cancel(req("a", 0, {"matchtag": 1}, userid=0, rolemask=c.ROLE_OWNER))
    wire.list.add(req("a", 2, userid=100))
    assert len(wire.list.disconnect(req("a", 0, userid=0, rolemask=c.ROLE_OWNER))) == 1


def test_one_that_is_no_longer_kept(wire: Wire) -> None:
    kept = req("a", 1)
    wire.list.add(kept)
    assert wire.list.discard(kept)
    assert not wire.list.discard(kept)
    assert list(wire.list) == []


def test_the_broker_itself_has_no_route() -> None:
    assert sender(request("a.b")) == ""
