"""The neighbours of one broker, one story at a time (CONTRACTS A18, B3-B7)."""

import errno
from typing import Any

import pytest

from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.health import Status
from fluxcore.overlay.neighbours import DISCONNECT, HEARTBEAT, STATUS, Identity
from fluxcore.overlay.peers import Peers
from fluxcore.overlay.topology import Topology
from fluxcore.wire import constants as c
from fluxcore.wire.message import (
    Message,
    control,
    error_response,
    event,
    request,
    response,
)
from support.simulated_overlay import Network

OWNER = 100


class Rig:
    """Rank 1 of seven in a binary tree: its parent is 0, its children are 3 and 4."""

    def __init__(self, rank: int = 1) -> None:
        self.now = 0.0
        self.up: list[Message] = []
        self.down: list[tuple[str, Message]] = []
        self.received: list[Message] = []
        self.events: list[Message] = []
        self.posted: list[str] = []
        self.lines: list[tuple[int, str]] = []
        self.changes: list[int | None] = []
        self.unreachable: set[str] = set()
        identity = Identity(rank, "me", OWNER, 0x000102, lambda n: f"host{n}")
        self.peers = Peers(identity, Topology.parse("kary:2", 7), self, lambda: self.now)

    def send_parent(self, msg: Message) -> None:
        self.up.append(msg)

    def send_child(self, uuid: str, msg: Message) -> None:
        if uuid in self.unreachable:
            raise rpc_error(errno.EHOSTUNREACH)
        self.down.append((uuid, msg))

    def receive(self, msg: Message) -> None:
        self.received.append(msg)

    def receive_unpublished(self, msg: Message) -> None:
        self.events.append(msg)

    def receive_published(self, msg: Message) -> None:
        self.events.append(msg)

    def post(self, event: str) -> None:
        self.posted.append(event)

    def log(self, level: int, text: str) -> None:
        self.lines.append((level, text))

    def changed(self, rank: int | None) -> None:
        self.changes.append(rank)

    # -- what a test makes happen ----------------------------------------------------------

    def hello(self, uuid: str = "child", **changes: Any) -> Message:
        """A child's hello; what the peer of that uuid is sent for it."""
        payload = {
            "rank": 3,
            "version": 0x000100,
            "uuid": uuid,
            "status": int(Status.FULL),
            "hostname": "host3",
            **changes,
        }
        creds = {"userid": OWNER, "rolemask": c.ROLE_OWNER}
        self.down.clear()
        self.peers.from_child(uuid, request("overlay.hello", payload, matchtag=1, **creds))
        return self.down[0][1]

    def join_parent(self) -> None:
        self.peers.say_hello("host1")
        self.peers.from_parent(response(self.up.pop(), {"uuid": "parent"}))
        assert self.posted.pop() == "parent-hello"

    def statuses(self) -> dict[int, str]:
        return {entry["rank"]: entry["status"] for entry in self.peers.health()["children"]}

    def texts(self) -> list[str]:
        return [text for _level, text in self.lines]


@pytest.fixture
def rig() -> Rig:
    return Rig()


# -- hello ----------------------------------------------------------------------------------


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


# -- leaving and loss -----------------------------------------------------------------------


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


# -- status ---------------------------------------------------------------------------------


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


# -- routing --------------------------------------------------------------------------------


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


# -- the parent -----------------------------------------------------------------------------


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


# -- many -----------------------------------------------------------------------------------


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
