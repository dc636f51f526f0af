"""Children that leave, are lost, or are forced out (CONTRACTS B4-B6)."""

import errno

import pytest

from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import DISCONNECT
from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    event,
    request,
)
from support.overlay_rig import Rig


def test_a_child_says_goodbye(rig: Rig) -> None:
    rig.hello()
    rig.down.clear()
    rig.peers.shut_down()
    assert rig.posted == []
    rig.peers.from_child("child", request("overlay.goodbye", matchtag=1))
    assert [(uuid, msg.topic, msg.errnum) for uuid, msg in rig.down] == [
        ("child", "overlay.goodbye", 0)
    ]
    assert rig.peers.health()["children"][0] == {
        "rank": 3,
        "status": "offline",
        "duration": 0.0,
        "error": "administrative shutdown",
    }
    assert rig.posted == ["children-complete"]


def test_a_child_that_cannot_be_reached_is_lost(rig: Rig) -> None:
    rig.hello()
    waiting = request("a.b", nodeid=3, matchtag=7).with_routes(("client",))
    rig.peers.forward_request(waiting)
    rig.unreachable.add("child")
    rig.now = 2.5
    with pytest.raises(OSError) as caught:
        rig.peers.forward_request(request("c.d", nodeid=3, matchtag=8))
    assert caught.value.errno == errno.EHOSTUNREACH
    assert [msg.matchtag for msg in rig.received] == [7], "the other is for its caller to fail"
    assert rig.texts()[-1] == "host3 (rank 3) failed"
    rig.now = 4.0
    health = rig.peers.health()
    assert health["status"] == "degraded"
    assert health["children"][0] == {
        "rank": 3,
        "status": "lost",
        "duration": 1.5,
        "error": "lost connection",
    }
    rig.peers.validate_state()


def test_a_client_cannot_say_goodbye_for_its_broker(rig: Rig) -> None:
    rig.hello()
    req = request("overlay.goodbye", matchtag=1, rolemask=c.ROLE_USER).pushed("client")
    rig.peers.from_child("child", req)
    assert rig.peers.children[3].status is Status.FULL
    assert [(msg.topic, msg.routes) for msg in rig.received] == [
        ("overlay.goodbye", ("client", "child"))
    ]


def test_a_child_takes_all_below_it_along() -> None:
    rig = Rig(rank=0)
    rig.hello("child", rank=1, hostname="host1")
    rig.unreachable.add("child")
    rig.peers.broadcast(event("x"))
    assert rig.texts()[-2] == "host1 (rank 1) failed and severed contact with 2 other nodes"


def test_a_child_is_forced_out(rig: Rig) -> None:
    rig.hello()
    rig.down.clear()
    rig.peers.disconnect_child(3)
    assert [(uuid, msg.aux1) for uuid, msg in rig.down] == [("child", DISCONNECT)]
    assert rig.peers.health()["children"][0]["error"] == "administrative disconnect"
    for rank, errnum, text in (
        (3, errno.EINVAL, "rank 3 is already lost"),
        (4, errno.EINVAL, "rank 4 is already offline"),
        (5, errno.ENOENT, "requested rank is not this broker's direct child"),
    ):
        with pytest.raises(OSError) as caught:
            rig.peers.disconnect_child(rank)
        assert (caught.value.errno, caught.value.strerror) == (errnum, text)
