"""The handle without IO: events, and who hears them."""

from fluxcore.handle.service import Service, on_event
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, event
from support.handle_wire import GUEST, OWNER, Wire


def test_an_event_goes_to_every_handler_of_a_prefix(wire: Wire) -> None:
    got: list[tuple[str, str | None]] = []
    for prefix in ("", "foo", "foo.", "foo.bar", "fool"):
        wire.core.add_event_handler(prefix, lambda e, p=prefix: got.append((p, e.topic)))
    wire.core.receive(event("foo.bar"))
    assert got == [(p, "foo.bar") for p in ("", "foo", "foo.", "foo.bar")]


def test_a_fault_of_one_handler_costs_the_others_nothing(wire: Wire) -> None:
    got: list[str | None] = []
    wire.core.add_event_handler("a", lambda _e: 1 / 0)
    wire.core.add_event_handler("a", lambda e: got.append(e.topic))
    wire.core.receive(event("a"))
    assert got == ["a"]
    assert wire.crashes == [("a", "division by zero")]


def test_a_removed_handler_is_not_called(wire: Wire) -> None:
    got: list[str | None] = []

    def take(msg: Message) -> None:
        got.append(msg.topic)

    wire.core.add_event_handler("a", take)
    wire.core.add_event_handler("a", take)
    wire.core.remove_event_handler("a", take)
    wire.core.receive(event("a"))
    wire.core.remove_event_handler("a", take)
    wire.core.receive(event("a"))
    assert got == ["a"]


def test_a_service_hears_only_those_it_trusts(wire: Wire) -> None:
    """Any guest may publish any event, also one that looks like a service's own (A5)."""
    heard: list[tuple[str, int]] = []

    class Listener(Service):
        @on_event("a.")
        def mine(self, msg: Message) -> None:
            heard.append(("owner", msg.userid))

        @on_event("a.", role=c.ROLE_USER)
        def users(self, msg: Message) -> None:
            heard.append(("user", msg.userid))

        @on_event("a.", role=c.ROLE_ALL)
        def alls(self, msg: Message) -> None:
            heard.append(("all", msg.userid))

    assert Listener().bind(wire.core) == ["a.", "a.", "a."]
    for creds in (OWNER, GUEST, {"userid": 300, "rolemask": 0}):
        wire.core.receive(event("a.x", **creds))
    assert sorted(heard) == [
        ("all", 100),
        ("all", 200),
        ("all", 300),
        ("owner", 100),
        ("user", 100),
        ("user", 200),
    ]
