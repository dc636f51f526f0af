"""Disconnect requests (CONTRACTS A7)."""

import pytest

from fluxcore.handle.disconnects import Disconnects
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request


def fired(*reqs: Message) -> list[Message]:
    disconnects, sent = Disconnects(), list[Message]()
    for req in reqs:
        disconnects.arm(req)
    disconnects.fire(sent.append)
    disconnects.fire(sent.append)
    return sent


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("kvs.lookup", "kvs.disconnect"),
        ("foo.bar.baz", "foo.bar.disconnect"),
        ("ping", "disconnect"),
        ("kvs.", "kvs.disconnect"),
    ],
)
def test_its_topic(topic: str, told: str) -> None:
    assert [m.topic for m in fired(request(topic))] == [told]


def test_it_goes_where_the_first_request_went_under_the_same_credentials() -> None:
    first = request(
        "kvs.lookup", {"a": 1}, nodeid=3, matchtag=7, userid=5, rolemask=2, flags=c.UPSTREAM
    ).pushed("me")
    (msg,) = fired(first, request("kvs.commit", nodeid=3, flags=c.UPSTREAM, userid=6).pushed("me"))
    assert (msg.nodeid, msg.matchtag, msg.userid, msg.rolemask) == (3, 7, 5, 2)
    assert msg.flags == c.UPSTREAM | c.NORESPONSE
    assert (msg.routes, msg.data) == (("me",), None)


def test_one_for_each_service_rank_and_direction() -> None:
    sent = fired(
        request("kvs.lookup"),
        request("kvs.commit"),
        request("kvs.lookup", nodeid=1),
        request("kvs.lookup", nodeid=1, flags=c.UPSTREAM),
        request("job.list"),
        request("kvs.lookup", flags=c.STREAMING),
    )
    assert [(m.topic, m.nodeid, bool(m.flags & c.UPSTREAM)) for m in sent] == [
        ("kvs.disconnect", c.NODEID_ANY, False),
        ("kvs.disconnect", 1, False),
        ("kvs.disconnect", 1, True),
        ("job.disconnect", c.NODEID_ANY, False),
    ]


def test_a_request_that_nobody_waits_for_leaves_nothing_to_end() -> None:
    assert fired(request("log.append", flags=c.NORESPONSE)) == []


def test_made_up_topics_are_not_all_remembered_and_change_nothing() -> None:
    disconnects, sent = Disconnects(), list[Message]()
    for number in range(1000):
        disconnects.arm(request(f"kvs.x{number}"))
        disconnects.arm(request("job.list"))
    assert len(disconnects._seen) <= 256
    disconnects.fire(sent.append)
    assert [msg.topic for msg in sent] == ["kvs.disconnect", "job.disconnect"]
