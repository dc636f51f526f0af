"""Children that join: who is let in, who is not, and who comes back (CONTRACTS B3, B4, B6)."""

import errno
from typing import Any

import pytest

from fluxcore.overlay.neighbours import DISCONNECT, STATUS
from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    Message,
    control,
    event,
    request,
    response,
)
from support.overlay_rig import OWNER, Rig


def test_a_child_joins(rig: Rig) -> None:
    assert rig.hello().json == {"uuid": "me"}
    assert rig.statuses() == {3: "full", 4: "offline"}
    assert rig.changes == [3]
    assert rig.texts() == ["accepting connection from host3 (rank 3) status full"]
    rig.peers.validate_state()


def test_a_child_is_answered_before_it_is_told_anything_else() -> None:
    """An event that its coming causes must not be the first thing it hears."""

    class Eager(Rig):
        def changed(self, rank: int | None) -> None:
            self.peers.broadcast(event("joined").with_seq(1))

    rig = Eager()
    assert rig.hello().topic == "overlay.hello"
    assert [msg.topic for _uuid, msg in rig.down] == ["overlay.hello", "joined"]


@pytest.mark.parametrize(
    ("changes", "errnum", "text"),
    [
        (
            {"rank": 5},
            errno.EINVAL,
            "rank 5 is not a child of rank 1: mismatched config?",
        ),
        (
            {"hostname": "other"},
            errno.EINVAL,
            "host3 is configured as rank 3: mismatched config?",
        ),
        (
            {"version": 0x000205},
            errno.EINVAL,
            "client (0.2.5) version mismatched with server (0.1.2)",
        ),
        ({"uuid": "another"}, errno.EPROTO, None),
        ({"status": 0}, errno.EPROTO, None),
        ({"status": 4}, errno.EPROTO, None),
        ({"status": 5}, errno.EPROTO, None),
        ({"status": 99}, errno.EPROTO, None),
        ({"status": -1}, errno.EPROTO, None),
        ({"rank": "3"}, errno.EPROTO, None),
        ({"version": None}, errno.EPROTO, None),
    ],
)
def test_a_hello_that_is_refused(
    rig: Rig, changes: dict[str, Any], errnum: int, text: str | None
) -> None:
    rig.down.clear()
    payload = {
        "rank": 3, "version": 0x000100, "uuid": "child", "status": 1, "hostname": "host3", **changes
    }  # fmt: skip
    creds = {"userid": OWNER, "rolemask": c.ROLE_OWNER}
    rig.peers.from_child("child", request("overlay.hello", payload, matchtag=1, **creds))
    ((_uuid, answer),) = rig.down
    assert (answer.errnum, answer.text) == (errnum, text)
    assert rig.statuses() == {3: "offline", 4: "offline"}
    assert rig.lines[0][0] == 3
    assert rig.texts()[0].startswith("rejecting connection: ")
    rig.peers.validate_state()


def test_only_the_owner_may_join(rig: Rig) -> None:
    rig.peers.from_child(
        "child",
        request(
            "overlay.hello",
            {"rank": 3, "version": 0x100, "uuid": "child", "status": 1},
            userid=200,
            rolemask=c.ROLE_USER,
        ),
    )
    assert rig.down[0][1].errnum == errno.EPERM


def test_a_micro_version_may_differ(rig: Rig) -> None:
    assert rig.hello(version=0x0001FF).errnum == 0


def test_a_child_that_comes_back_after_a_crash(rig: Rig) -> None:
    rig.hello("first")
    waiting = request("a.b", nodeid=3, matchtag=7).with_routes(("client",))
    rig.peers.forward_request(waiting)
    assert rig.hello("second").errnum == 0
    text = "host3 (rank 3) reconnected after crash, dropping old connection"
    assert text in rig.texts()
    (answer,) = rig.received
    assert (answer.errnum, answer.matchtag, answer.routes) == (
        errno.EHOSTUNREACH,
        7,
        ("client",),
    )
    assert rig.statuses()[3] == "full"
    rig.down.clear()
    rig.peers.from_child("first", event("late"))
    assert [(uuid, msg.type, msg.aux1) for uuid, msg in rig.down] == [
        ("first", c.CONTROL, DISCONNECT)
    ]
    assert rig.events == []


@pytest.mark.parametrize(
    "msg", [event("e"), request("kvs.get"), control(STATUS, 1), response(request("a"))]
)
def test_a_stranger_is_told_to_go(rig: Rig, msg: Message) -> None:
    rig.peers.from_child("stranger", msg)
    ((uuid, sent),) = rig.down
    assert (uuid, sent.type, sent.aux1) == ("stranger", c.CONTROL, DISCONNECT)
    assert (rig.received, rig.events) == ([], [])
    rig.unreachable.add("stranger")
    rig.peers.from_child("stranger", msg)


def test_nobody_joins_a_broker_that_goes_down(rig: Rig) -> None:
    rig.peers.shut_down()
    assert rig.posted == ["children-none"]
    answer = rig.hello()
    assert (answer.type, answer.aux1) == (c.CONTROL, DISCONNECT)
