"""Where messages go (CONTRACTS A10-A13, A17), in tables."""

import errno

import pytest

from fluxcore.broker.router import Router
from fluxcore.handle.errors import rpc_error
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event, request, response

ANY = c.NODEID_ANY


class Link:
    """Records what is delivered to it."""

    def __init__(self) -> None:
        self.got: list[Message] = []

    def deliver(self, msg: Message) -> None:
        self.got.append(msg)


class Overlay:
    """Records what is sent to other ranks; there is a way to ranks below ``size``."""

    def __init__(self, size: int) -> None:
        self.requests: list[Message] = []
        self.responses: list[Message] = []
        self.events: list[Message] = []
        self.published: list[Message] = []
        self._size = size

    def forward_request(self, msg: Message) -> None:
        if msg.nodeid not in (ANY, *range(self._size)):
            raise rpc_error(errno.EHOSTUNREACH)
        self.requests.append(msg)

    def forward_response(self, msg: Message) -> None:
        self.responses.append(msg)

    def forward_event(self, msg: Message) -> None:
        self.events.append(msg)

    def broadcast(self, msg: Message) -> None:
        self.published.append(msg)


class Rig:
    def __init__(self, rank: int, size: int) -> None:
        self.router = Router(rank, f"broker-{rank}", 100)
        self.overlay = Overlay(size)
        self.router.overlay = self.overlay if size > 1 else None
        self.own = Link()
        self.router.own = self.own
        self.kvs, self.client = Link(), Link()
        for name, link in (("kvs", self.kvs), ("client", self.client)):
            self.router.add_link(name, link)
        self.router.add_service("kvs", self.kvs)

    def ask(self, topic: str | None, nodeid: int = ANY, flags: int = 0) -> str:
        """Where a client's request goes: "service", "overlay", or the errno and text it gets."""
        self.router.request(
            Message(c.REQUEST, topic, flags=flags, aux1=nodeid, aux2=9, routes=("client",))
        )
        if self.kvs.got:
            return "service"
        if self.overlay.requests:
            return "overlay"
        (answer,) = self.client.got
        assert (answer.type, answer.matchtag, answer.routes) == (c.RESPONSE, 9, ())
        assert (answer.userid, answer.rolemask) == (100, c.ROLE_OWNER | c.ROLE_LOCAL)
        return f"{errno.errorcode[answer.errnum]} {answer.text or ''}".strip()


UNKNOWN = "ENOSYS No service matching nope.x is registered"
UP = c.UPSTREAM


@pytest.mark.parametrize(
    ("rank", "size", "topic", "nodeid", "flags", "goes"),
    [
        # any rank (A10): here if it is served here, else up
        (0, 1, "kvs.x", ANY, 0, "service"),
        (0, 1, "kvs", ANY, 0, "service"),
        (0, 1, "nope.x", ANY, 0, UNKNOWN),
        (0, 4, "nope.x", ANY, 0, UNKNOWN),
        (2, 4, "kvs.x", ANY, 0, "service"),
        (2, 4, "nope.x", ANY, 0, "overlay"),
        # this rank (A11)
        (0, 4, "kvs.x", 0, 0, "service"),
        (2, 4, "kvs.x", 2, 0, "service"),
        (0, 4, "nope.x", 0, 0, UNKNOWN),
        (2, 4, "nope.x", 2, 0, UNKNOWN),
        # another rank (A11)
        (0, 4, "kvs.x", 1, 0, "overlay"),
        (0, 4, "kvs.x", 4, 0, "EHOSTUNREACH"),
        (0, 1, "kvs.x", 1, 0, "EHOSTUNREACH"),
        (0, 1, "kvs.x", ANY - 1, 0, "EHOSTUNREACH"),
        # upstream (A12): not here if it names this rank, else as for any
        (2, 4, "kvs.x", 2, UP, "overlay"),
        (0, 1, "kvs.x", 0, UP, "EHOSTUNREACH"),
        (2, 4, "kvs.x", 1, UP, "service"),
        (2, 4, "nope.x", 1, UP, "overlay"),
        (0, 4, "kvs.x", 3, UP, "service"),
        (0, 4, "nope.x", 3, UP, UNKNOWN),
        (0, 1, "kvs.x", ANY, UP, "service"),
        # odd topics
        (0, 1, "", ANY, 0, "ENOSYS No service matching  is registered"),
        (0, 1, None, ANY, 0, "EPROTO"),
        (0, 1, ".x", ANY, 0, "ENOSYS No service matching .x is registered"),
        (0, 1, "kvsx.x", ANY, 0, "ENOSYS No service matching kvsx.x is registered"),
        (0, 1, "x" * 300, ANY, 0, f"ENOSYS No service matching {'x' * 300} is registered"),
    ],
)
def test_a_request(
    rank: int, size: int, topic: str | None, nodeid: int, flags: int, goes: str
) -> None:
    assert Rig(rank, size).ask(topic, nodeid, flags) == goes


def test_an_error_keeps_the_flags_of_its_request() -> None:
    rig = Rig(0, 1)
    rig.router.request(request("nope.x", flags=c.STREAMING | c.UPSTREAM).pushed("client"))
    assert rig.client.got[0].flags == c.STREAMING | c.UPSTREAM


def test_nobody_is_told_of_an_error_who_does_not_wait() -> None:
    rig = Rig(0, 1)
    rig.router.request(request("nope.x", flags=c.NORESPONSE).pushed("client"))
    assert rig.client.got == []


def test_an_instance_of_one_tells_its_own_handle_of_errors() -> None:
    rig = Rig(0, 1)
    rig.router.request(request("nope.x", matchtag=3))
    assert [m.errnum for m in rig.own.got] == [errno.ENOSYS]


@pytest.mark.parametrize(
    ("routes", "goes"),
    [
        (None, "own"),
        ((), "own"),
        (("client",), "client"),
        (("kvs", "client"), "client"),
        (("client", "elsewhere"), "overlay"),
    ],
)
def test_a_response(routes: tuple[str, ...] | None, goes: str) -> None:
    rig = Rig(1, 4)
    rig.router.response(response(request("a.b", matchtag=1).with_routes(routes)))
    got = {"own": rig.own.got, "client": rig.client.got, "overlay": rig.overlay.responses}
    assert [name for name, messages in got.items() if messages] == [goes]
    if goes == "client":
        assert rig.client.got[0].routes == (routes or ())[:-1]


def test_a_response_to_nobody_is_dropped() -> None:
    rig = Rig(0, 1)
    rig.router.response(response(request("a.b").pushed("gone")))
    assert rig.own.got == rig.client.got == rig.kvs.got == []


# -- services -------------------------------------------------------------------------------


def test_a_service_name_is_taken_once_and_by_its_own_link_given_back() -> None:
    rig = Rig(0, 1)
    other = Link()
    rig.router.add_service("sched", rig.kvs)
    assert sorted(rig.router.services_of(rig.kvs)) == ["kvs", "sched"]
    with pytest.raises(FileExistsError):
        rig.router.add_service("sched", other)
    for name in ("a.b", "", "."):
        with pytest.raises(OSError) as caught:
            rig.router.add_service(name, other)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(FileNotFoundError):
        rig.router.remove_service("sched", other)
    rig.router.remove_service("sched", rig.kvs)
    with pytest.raises(FileNotFoundError):
        rig.router.remove_service("sched", rig.kvs)


def test_a_link_that_goes_takes_its_services_along() -> None:
    rig = Rig(0, 1)
    rig.router.add_service("sched", rig.kvs)
    rig.router.remove_link("kvs")
    rig.router.remove_link("kvs")
    assert not rig.router.has_service("kvs")
    assert not rig.router.has_service("sched")
    assert rig.ask("kvs.x") == "ENOSYS No service matching kvs.x is registered"


# -- events ---------------------------------------------------------------------------------


def test_rank_0_numbers_events_from_one_and_gives_them_to_all() -> None:
    rig = Rig(0, 4)
    subscriber, other = Link(), Link()
    rig.router.subscribers.add("a.", subscriber)
    rig.router.subscribers.add("b.", other)
    assert rig.router.publish(event("a.x")) == 1
    rig.router.event(event("a.y"))
    assert [(m.topic, m.seq) for m in subscriber.got] == [("a.x", 1), ("a.y", 2)]
    assert other.got == []
    assert [m.seq for m in rig.overlay.published] == [1, 2]


def test_other_ranks_send_events_up_and_what_comes_from_above_down() -> None:
    rig = Rig(1, 4)
    subscriber = Link()
    rig.router.subscribers.add("", subscriber)
    rig.router.event(event("a.x"))
    assert [m.topic for m in rig.overlay.events] == ["a.x"]
    assert subscriber.got == []
    rig.router.deliver_event(event("a.x").with_seq(7))
    assert [m.seq for m in subscriber.got] == [7]
    assert [m.seq for m in rig.overlay.published] == [7]


def test_links_are_given_an_event_in_the_order_in_which_they_came() -> None:
    router, order = Router(0, "b", 100), []

    class Teller(Link):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def deliver(self, _msg: Message) -> None:
            order.append(self._name)

    links = {name: Teller(name) for name in ("own", "one", "two", "three")}
    router.own = links["own"]
    for name in ("one", "two", "three"):
        router.add_link(name, links[name])
    for name, prefix in (("three", "a"), ("own", ""), ("one", "a.b"), ("two", "")):
        router.subscribers.add(prefix, links[name])
    router.publish(event("a.b.c"))
    assert order == ["one", "two", "three", "own"]


def test_what_is_published_in_answer_to_an_event_comes_after_it_for_all() -> None:
    rig = Rig(0, 4)

    class Answerer(Link):
        def deliver(self, msg: Message) -> None:
            super().deliver(msg)
            if msg.topic == "a":
                assert rig.router.publish(event("b")) == 2

    answerer, other = Answerer(), Link()
    for link in (answerer, other):
        rig.router.subscribers.add("", link)
    rig.router.publish(event("a"))
    for got in (answerer.got, other.got, rig.overlay.published):
        assert [(msg.topic, msg.seq) for msg in got] == [("a", 1), ("b", 2)]


def test_a_subscriber_that_goes_while_an_event_is_delivered() -> None:
    router = Router(0, "b", 100)

    class Leaver(Link):
        def deliver(self, msg: Message) -> None:
            super().deliver(msg)
            router.remove_link("two")

    links = {"one": Leaver(), "two": Link(), "three": Link()}
    for name, link in links.items():
        router.add_link(name, link)
        router.subscribers.add("", link)
    router.publish(event("a"))
    router.publish(event("b"))
    assert [len(link.got) for link in links.values()] == [2, 1, 2]
