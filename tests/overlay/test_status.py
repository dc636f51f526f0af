"""What neighbours tell of their health, and that they live (CONTRACTS A18, B4, B7)."""

import pytest

from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import HEARTBEAT, STATUS
from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    control,
    event,
)
from support.overlay_rig import Rig


def test_our_status_is_told_upwards(rig: Rig) -> None:
    rig.join_parent()
    rig.hello("three")
    rig.hello("four", rank=4, hostname="host4", status=int(Status.PARTIAL))
    rig.peers.from_child("four", control(STATUS, int(Status.FULL)))
    rig.peers.from_child("four", control(STATUS, int(Status.DEGRADED)))
    told = [(msg.aux1, Status(msg.aux2).label) for msg in rig.up if msg.type == c.CONTROL]
    assert told == [(STATUS, "full"), (STATUS, "degraded")]
    assert rig.peers.health()["status"] == "degraded"


@pytest.mark.parametrize("number", [0, 4, 5, 6, 0xFFFFFFFF])
def test_a_status_that_a_child_cannot_have(rig: Rig, number: int) -> None:
    rig.hello()
    rig.peers.from_child("child", control(STATUS, number))
    assert rig.statuses()[3] == "full"
    rig.peers.validate_state()


def test_a_torpid_child(rig: Rig) -> None:
    """CONTRACTS B4."""
    rig.hello()
    rig.changes.clear()
    rig.now = 29.9
    rig.peers.tick()
    assert rig.changes == []
    rig.now = 42.0
    rig.peers.tick()
    rig.peers.tick()
    assert rig.texts()[-1] == "broker on host3 (rank 3) has been unresponsive for 42s"
    assert rig.changes == [3]
    assert rig.peers.children[3].torpid
    assert rig.statuses()[3] == "full", "it is slow, not lost"
    rig.peers.from_child("child", control(HEARTBEAT))
    rig.peers.tick()
    assert rig.texts()[-1] == "broker on host3 (rank 3) is responsive now"
    assert rig.changes == [3, 3]


def test_nobody_is_torpid_if_that_is_not_wanted(rig: Rig) -> None:
    rig.peers.torpid_max = 0
    rig.hello()
    rig.now = 1e6
    rig.peers.tick()
    assert not rig.peers.children[3].torpid


def test_a_quiet_link_is_kept_alive(rig: Rig) -> None:
    rig.join_parent()
    rig.hello()
    for out in (rig.up, rig.down):
        out.clear()
    rig.now = 5.1
    rig.peers.broadcast(event("e").with_seq(1))
    rig.peers.tick()
    assert [(msg.type, msg.aux1) for msg in rig.up] == [(c.CONTROL, HEARTBEAT)]
    assert [msg.type for _uuid, msg in rig.down] == [c.EVENT], "that child has heard of us"
    rig.peers.tick()
    assert len(rig.up) == 1
