"""Where requests and responses go from one broker, and what they carry there."""

import errno

import pytest

from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    request,
    response,
)
from support.overlay_rig import Rig
from support.simulated_overlay import Network


def test_each_hop_takes_the_local_role_away_and_adds_itself(rig: Rig) -> None:
    rig.join_parent()
    rig.hello()
    both = c.ROLE_OWNER | c.ROLE_LOCAL
    rig.peers.from_child("child", request("a.b", rolemask=both).with_routes(("client",)))
    rig.peers.from_parent(request("a.b", rolemask=both).with_routes(("client", "broker")))
    assert [(msg.routes, msg.rolemask) for msg in rig.received] == [
        (("client", "child"), c.ROLE_OWNER),
        (("client", "broker", "parent"), c.ROLE_OWNER),
    ]


@pytest.mark.parametrize(
    ("nodeid", "flags", "goes"),
    [
        (3, 0, "child"),
        (4, 0, "EHOSTUNREACH"),  # offline
        (0, 0, "parent"),
        (2, 0, "parent"),
        (99, 0, "parent"),
        (c.NODEID_ANY, 0, "parent"),
        (1, c.UPSTREAM, "parent"),
    ],
)
def test_where_a_request_goes(rig: Rig, nodeid: int, flags: int, goes: str) -> None:
    rig.join_parent()
    rig.hello()
    for out in (rig.up, rig.down):
        out.clear()
    msg = request("a.b", nodeid=nodeid, matchtag=1, flags=flags)
    if goes == "EHOSTUNREACH":
        with pytest.raises(OSError) as caught:
            rig.peers.forward_request(msg)
        assert caught.value.errno == errno.EHOSTUNREACH
    else:
        rig.peers.forward_request(msg)
    assert rig.up == ([msg] if goes == "parent" else [])
    assert rig.down == ([("child", msg)] if goes == "child" else [])


def test_the_root_has_no_way_up() -> None:
    rig = Rig(rank=0)
    for nodeid, flags in ((99, 0), (0, c.UPSTREAM)):
        with pytest.raises(OSError) as caught:
            rig.peers.forward_request(request("a.b", nodeid=nodeid, flags=flags))
        assert caught.value.errno == errno.EHOSTUNREACH
    rig.peers.say_goodbye()
    assert rig.posted == ["goodbye"]


def test_a_response_finds_the_neighbour_on_top(rig: Rig) -> None:
    rig.join_parent()
    rig.hello()
    rig.down.clear()
    for top in ("parent", "child", "gone"):
        rig.peers.forward_response(response(request("a.b").with_routes(("client", top))))
    assert [msg.routes for msg in rig.up] == [("client",)]
    assert [(uuid, msg.routes) for uuid, msg in rig.down] == [("child", ("client",))]


def test_a_response_to_nothing_goes_no_further(rig: Rig) -> None:
    rig.join_parent()
    rig.hello()
    stray = request("a.b", matchtag=5).with_routes(("client",))
    rig.peers.from_child("child", response(stray))
    rig.peers.from_parent(response(stray))
    assert rig.received == []
    # Some services answer without a matchtag (CONTRACTS A14).
    rig.peers.from_child("child", response(request("sched.alloc").with_routes(("client",))))
    assert [msg.topic for msg in rig.received] == ["sched.alloc"]


@pytest.mark.slow
def test_ten_thousand_brokers() -> None:
    network = Network("kary:32", 10_000)
    for rank in range(10_000):
        network.start(rank)
    network.settle_in_order()
    root = network.brokers[0].peers
    assert root.health()["status"] == "full"
    far = network.rpc(9_999, 5_000)
    down = network.rpc(0, 9_998, "stream")
    network.publish(7_777)
    network.settle_in_order()
    assert (far.ends, down.ends, down.responses) == ([0], [errno.ENODATA], 3)
    assert all(broker.client.events == [1] for broker in network.brokers.values())
    network.crash(5_000)
    lost = network.rpc(9_999, 5_000)
    for wire in network.unnoticed():
        network.notice(wire)
    network.tick()
    network.settle_in_order()
    assert root.health()["status"] == "degraded"
    assert lost.ends == [errno.EHOSTUNREACH]
