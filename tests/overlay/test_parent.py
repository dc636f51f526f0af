"""The parent: joining it, losing it, leaving it (CONTRACTS B3, B5, B6)."""

import errno
from typing import Any

import pytest

from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import DISCONNECT
from fluxcore.wire.message import (
    control,
    error_response,
    event,
    request,
    response,
)
from support.overlay_rig import Rig


def test_joining_the_parent(rig: Rig) -> None:
    rig.peers.say_hello("host1")
    (hello,) = rig.up
    assert hello.json == {
        "rank": 1,
        "version": 0x000102,
        "uuid": "me",
        "status": int(Status.PARTIAL),
        "hostname": "host1",
    }
    rig.peers.from_parent(request("early.bird"))
    rig.peers.from_parent(event("early").with_seq(1))
    assert (rig.received, rig.events) == ([], []), "the parent has not said hello yet"
    with pytest.raises(OSError):
        rig.peers.forward_request(request("a.b"))
    rig.peers.forward_event(event("e"))
    assert len(rig.up) == 1
    rig.peers.from_parent(response(hello, {"uuid": "parent"}))
    assert rig.posted == ["parent-hello"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((errno.EINVAL, "mismatched config?"), "overlay.hello: mismatched config?"),
        ((errno.EPERM, None), "overlay.hello: EPERM"),
        ({}, "overlay.hello: the answer makes no sense"),
        ({"uuid": 5}, "overlay.hello: the answer makes no sense"),
        (None, "overlay.hello: the answer makes no sense"),
    ],
)
def test_a_parent_that_does_not_let_us_in(rig: Rig, answer: Any, text: str) -> None:
    rig.peers.say_hello("host1")
    hello = rig.up.pop()
    if isinstance(answer, tuple):
        rig.peers.from_parent(error_response(hello, *answer))
    else:
        rig.peers.from_parent(response(hello, answer))
    assert rig.posted == ["parent-lost"]
    assert text in rig.texts()


@pytest.mark.parametrize("how", ["connection", "disconnect"])
def test_a_lost_parent(rig: Rig, how: str) -> None:
    rig.join_parent()
    waiting = request("a.b", matchtag=7).with_routes(("client",))
    rig.peers.forward_request(waiting)
    for _ in range(2):
        if how == "connection":
            rig.peers.parent_lost()
        else:
            rig.peers.from_parent(control(DISCONNECT))
    assert rig.posted == ["parent-lost"]
    assert [(m.errnum, m.text) for m in rig.received] == [
        (errno.EHOSTUNREACH, "overlay disconnect")
    ]
    rig.peers.from_parent(response(waiting))
    rig.peers.from_parent(request("c.d"))
    rig.peers.from_parent(event("late").with_seq(1))
    assert len(rig.received) == 1, "what is lost is not listened to any more"
    assert rig.events == []
    with pytest.raises(OSError):
        rig.peers.forward_request(request("a.b"))
    rig.up.clear()
    rig.peers.tick()
    rig.peers.forward_event(event("e"))
    rig.peers.say_goodbye()
    assert rig.up == []
    assert rig.posted == ["parent-lost", "goodbye"]


def test_saying_goodbye(rig: Rig) -> None:
    rig.join_parent()
    rig.peers.say_goodbye()
    goodbye = rig.up.pop()
    assert (goodbye.topic, rig.posted) == ("overlay.goodbye", [])
    rig.peers.from_parent(response(goodbye))
    assert rig.posted == ["goodbye"]
    with pytest.raises(OSError):
        rig.peers.forward_request(request("a.b"))
    rig.peers.from_parent(control(DISCONNECT))
    assert rig.posted == ["goodbye"], "that it is gone now is no loss"


def test_a_parent_that_goes_while_we_say_goodbye(rig: Rig) -> None:
    rig.join_parent()
    rig.peers.say_goodbye()
    rig.peers.parent_lost()
    assert rig.posted == ["parent-lost", "goodbye"]


def test_lost_events_are_noticed(rig: Rig) -> None:
    rig.join_parent()
    for seq in (5, 6, 8, 11):
        rig.peers.from_parent(event("e").with_seq(seq))
    assert [text for text in rig.texts() if "lost" in text] == ["lost event 7", "lost events 9-10"]
    assert [msg.seq for msg in rig.events] == [5, 6, 8, 11]
