"""The connector's clients without sockets (CONTRACTS A6-A9), guests above all."""

import errno

import pytest

from fluxcore.handle.core import HandleCore
from fluxcore.handle.subscriptions import Subscriptions
from fluxcore.modules.connector_local.access import Credentials
from fluxcore.modules.connector_local.clients import Client, Clients
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, event, request, response

OWNER = Credentials(100, c.ROLE_OWNER | c.ROLE_LOCAL)
GUEST = Credentials(200, c.ROLE_USER | c.ROLE_LOCAL)


class Rig:
    """Clients, what they are sent, and what goes on to the broker."""

    def __init__(self) -> None:
        self.broker: list[Message] = []
        self.core = HandleCore(self.broker.append)
        self.subscriptions = Subscriptions()
        self.clients = Clients(self.core, self.subscriptions)

    def connect(self, creds: Credentials = OWNER) -> tuple[Client, list[Message]]:
        inbox: list[Message] = []
        return self.clients.add(creds, inbox.append), inbox

    def granted(self, client: Client, name: str) -> None:
        """Let ``client`` serve ``name``, with the broker's consent."""
        client.received(request("service.add", {"service": name}, matchtag=1))
        self.core.receive(response(self.broker[-1]))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_request_goes_on_with_the_clients_uuid_on_top(rig: Rig) -> None:
    client, _inbox = rig.connect(GUEST)
    client.received(request("kvs.get", matchtag=7).with_routes(("proxied",)))
    (msg,) = rig.broker
    assert (msg.routes, msg.matchtag) == (("proxied", client.uuid), 7)
    assert (msg.userid, msg.rolemask) == (GUEST.userid, GUEST.rolemask)


def test_a_route_stack_that_would_not_pass_through_the_tree_is_refused(rig: Rig) -> None:
    client, inbox = rig.connect(GUEST)
    client.received(request("kvs.get", matchtag=7).with_routes(("x",) * 200))
    assert [(msg.errnum, msg.text) for msg in inbox] == [(errno.EPROTO, "route stack is too deep")]
    assert rig.broker == []


def test_a_response_comes_back_to_the_client_on_top(rig: Rig) -> None:
    (one, inbox), (_two, other) = rig.connect(), rig.connect()
    rig.clients.response(response(request("a").with_routes(("proxied", one.uuid))))
    assert [msg.routes for msg in inbox] == [("proxied",)]
    assert other == []
    rig.clients.remove(one)
    rig.clients.response(response(request("a").with_routes((one.uuid,))))
    rig.clients.response(response(request("a")))
    assert len(inbox) == 1


def test_subscriptions_are_added_up_and_taken_back(rig: Rig) -> None:
    (one, inbox), (two, _other) = rig.connect(), rig.connect()
    for client in (one, two):
        for _ in range(2):
            client.received(request("event.subscribe", {"topic": "a"}, matchtag=1))
    assert [msg.errnum for msg in inbox] == [0, 0]
    assert set(rig.subscriptions) == {"a"}
    rig.clients.event(event("ab"))
    assert [msg.topic for msg in inbox[2:]] == ["ab"], "once, however often it subscribed"
    rig.clients.remove(one)
    assert set(rig.subscriptions) == {"a"}
    rig.clients.remove(two)
    rig.clients.remove(two)
    assert set(rig.subscriptions) == set()
    assert rig.broker == [], "what the connector answers itself goes no further"


def test_a_prefix_longer_than_any_topic_is_refused(rig: Rig) -> None:
    client, inbox = rig.connect(GUEST)
    client.received(request("event.subscribe", {"topic": "a" * 256}, matchtag=1))
    assert [(msg.errnum, msg.text) for msg in inbox] == [(errno.EINVAL, "topic is too long")]
    assert set(rig.subscriptions) == set()


def test_a_guest_sees_no_private_event_of_others(rig: Rig) -> None:
    client, inbox = rig.connect(GUEST)
    client.received(request("event.subscribe", {"topic": ""}))
    for userid in (OWNER.userid, GUEST.userid):
        rig.clients.event(event(f"e{userid}", flags=c.PRIVATE, userid=userid))
    assert [msg.topic for msg in inbox if msg.type == c.EVENT] == ["e200"]


# -- services -------------------------------------------------------------------------------


def test_a_service_is_the_clients_once_the_broker_agrees(rig: Rig) -> None:
    client, inbox = rig.connect(GUEST)
    client.received(request("service.add", {"service": "200-a"}, matchtag=5))
    asked = rig.broker[-1]
    assert (asked.topic, asked.json, asked.routes) == ("service.add", {"service": "200-a"}, None)
    assert (asked.userid, asked.rolemask) == (GUEST.userid, GUEST.rolemask)
    assert inbox == []
    rig.core.receive(response(asked))
    assert [(msg.matchtag, msg.errnum) for msg in inbox] == [(5, 0)]
    assert rig.clients.request(request("200-a.x"))
    assert inbox[-1].topic == "200-a.x"


def test_a_service_is_asked_for_as_who_the_owner_poses_as(rig: Rig) -> None:
    client, _inbox = rig.connect()
    req = request("service.add", {"service": "a"}, matchtag=5, userid=200, rolemask=c.ROLE_USER)
    client.received(req)
    assert (rig.broker[-1].userid, rig.broker[-1].rolemask) == (200, c.ROLE_USER)


def test_a_service_that_the_broker_refuses_is_nobodys(rig: Rig) -> None:
    client, inbox = rig.connect()
    client.received(request("service.add", {"service": "kvs"}, matchtag=5))
    rig.core.receive(error_response(rig.broker[-1], errno.EEXIST, "taken"))
    assert [(msg.errnum, msg.text) for msg in inbox] == [(errno.EEXIST, "taken")]
    assert not rig.clients.request(request("kvs.x"))
    client.received(request("service.remove", {"service": "kvs"}, matchtag=6))
    assert inbox[-1].errnum == errno.ENOENT


def test_a_client_that_goes_while_the_broker_decides(rig: Rig) -> None:
    client, inbox = rig.connect()
    client.received(request("service.add", {"service": "a"}, matchtag=5))
    asked = rig.broker[-1]
    rig.clients.remove(client)
    rig.core.receive(response(asked))
    removed = rig.broker[-1]
    assert (removed.topic, removed.json) == ("service.remove", {"service": "a"})
    assert not rig.clients.request(request("a.x"))
    assert [msg.errnum for msg in inbox] == [0]


def test_a_client_that_goes_gives_its_services_back_and_fails_what_it_was_asked(rig: Rig) -> None:
    client, _inbox = rig.connect()
    rig.granted(client, "a")
    waiting = request("a.x", matchtag=9).pushed("asker")
    rig.clients.request(waiting)
    rig.clients.request(request("a.y", flags=c.NORESPONSE).pushed("asker"))
    rig.broker.clear()
    rig.clients.remove(client)
    told = [(m.type, m.topic, m.errnum if m.type == c.RESPONSE else 0) for m in rig.broker]
    assert told == [
        (c.REQUEST, "service.remove", 0),
        (c.RESPONSE, "a.x", errno.EHOSTUNREACH),
    ]


# -- what a guest cannot do -----------------------------------------------------------------


def test_a_guest_answers_only_what_it_was_asked(rig: Rig) -> None:
    """A forged response could pass for the broker's or another client's."""
    guest, _inbox = rig.connect(GUEST)
    rig.granted(guest, "200-a")
    asked = request("200-a.x", matchtag=4).with_routes(("asker",))
    rig.clients.request(asked)
    rig.broker.clear()
    for forged in (
        response(request("module.list", matchtag=1)),
        response(request("module.list", matchtag=1).with_routes(("other",))),
        response(asked.with_matchtag(5)),
        response(asked.with_routes(("another",))),
    ):
        guest.received(forged)
    assert rig.broker == []
    guest.received(response(asked))
    guest.received(response(asked))
    assert [(msg.routes, msg.matchtag) for msg in rig.broker] == [(("asker",), 4)], "and once"


def test_the_owner_may_answer_for_others(rig: Rig) -> None:
    """A proxy of the owner's passes on what other connections answer."""
    owner, _inbox = rig.connect()
    owner.received(response(request("a.x", matchtag=1).with_routes(("other",))))
    assert len(rig.broker) == 1


def test_a_guests_event_is_the_guests(rig: Rig) -> None:
    guest, _inbox = rig.connect(GUEST)
    guest.received(event("heartbeat.pulse", userid=100, rolemask=c.ROLE_OWNER))
    (msg,) = rig.broker
    assert (msg.userid, msg.rolemask) == (GUEST.userid, GUEST.rolemask)


@pytest.mark.parametrize(
    ("topic", "payload", "errnum"),
    [
        ("event.subscribe", {}, errno.EPROTO),
        ("event.subscribe", None, errno.EPROTO),
        ("event.unsubscribe", {"topic": "a"}, errno.ENOENT),
        ("service.add", {"service": 5}, errno.EPROTO),
        ("service.remove", {"service": "a"}, errno.ENOENT),
    ],
)
def test_what_the_connector_refuses_itself(
    rig: Rig, topic: str, payload: dict[str, object] | None, errnum: int
) -> None:
    client, inbox = rig.connect()
    client.received(request(topic, payload, matchtag=3))
    assert [(msg.matchtag, msg.errnum) for msg in inbox] == [(3, errnum)]
    client.received(request(topic, payload, flags=c.NORESPONSE))
    assert len(inbox) == 1
    assert rig.broker == []
