"""The handle without IO: what goes out for what comes in."""

import errno
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from fluxcore.handle.core import HandleCore, response_result
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Method, Service, method, on_event
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, event, request, response

OWNER = {"userid": 100, "rolemask": c.ROLE_OWNER}
GUEST = {"userid": 200, "rolemask": c.ROLE_USER}


class Sink:
    def __init__(self) -> None:
        self.got: list[Message] = []

    def feed(self, msg: Message) -> None:
        self.got.append(msg)


class Wire:
    """A core, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.crashes: list[tuple[str | None, str]] = []
        self.core = HandleCore(self.sent.append, crashed=self._crashed)

    def _crashed(self, msg: Message, exc: Exception) -> None:
        self.crashes.append((msg.topic, str(exc)))

    def serve(self, topic: str, function: Callable[[Message], Any], role: int = 0) -> None:
        self.core.add_method(topic, Method(function, role))

    def ask(self, topic: str, payload: Any = None, flags: int = 0, **creds: int) -> list[Message]:
        """What is sent on a request by the owner (or ``creds``)."""
        self.sent.clear()
        creds = creds or OWNER
        self.core.receive(request(topic, payload, matchtag=9, flags=flags, **creds).pushed("me"))
        return list(self.sent)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def failure(answers: list[Message]) -> tuple[int, str | None]:
    (answer,) = answers
    return answer.errnum, answer.text


# -- requests that go out -------------------------------------------------------------------


def test_a_response_finds_its_request(wire: Wire) -> None:
    sinks = [Sink(), Sink()]
    tags = [wire.core.request(sink, "a.b", {"n": 1}, nodeid=3) for sink in sinks]
    assert tags == [1, 2]
    assert [(m.topic, m.matchtag, m.nodeid, m.routes) for m in wire.sent] == [
        ("a.b", 1, 3, None),
        ("a.b", 2, 3, None),
    ]
    wire.core.receive(response(wire.sent[1], {"two": 2}))
    assert [len(sink.got) for sink in sinks] == [0, 1]
    assert sinks[1].got[0].json == {"two": 2}
    assert wire.core.pending == 1


def test_a_matchtag_is_free_after_the_last_response(wire: Wire) -> None:
    sink = Sink()
    tag = wire.core.request(sink, "a.b", flags=c.STREAMING)
    req = wire.sent[0]
    for payload in ({"n": 1}, {"n": 2}):
        wire.core.receive(response(req, payload))
    assert wire.core.request(Sink(), "a.b") == tag + 1
    wire.core.receive(error_response(req, errno.ENODATA))
    assert [m.errnum for m in sink.got] == [0, 0, errno.ENODATA]
    assert wire.core.request(Sink(), "a.b") == tag


def test_a_response_that_nobody_waits_for_is_dropped(wire: Wire) -> None:
    wire.core.receive(response(request("a.b", matchtag=77)))
    wire.core.receive(response(request("a.b")))
    assert wire.sent == []


def test_a_second_response_to_a_plain_request_is_dropped(wire: Wire) -> None:
    sink = Sink()
    wire.core.request(sink, "a.b")
    for _ in range(2):
        wire.core.receive(response(wire.sent[0]))
    assert len(sink.got) == 1


def test_responses_to_a_forgotten_request_go_nowhere_until_it_ends(wire: Wire) -> None:
    sink = Sink()
    tag = wire.core.request(sink, "a.b", flags=c.STREAMING)
    wire.core.forget(tag)
    wire.core.receive(response(wire.sent[0]))
    assert wire.core.request(Sink(), "a.b") != tag, "the service still answers to that number"
    wire.core.receive(error_response(wire.sent[0], errno.ENODATA))
    assert sink.got == []
    assert wire.core.request(Sink(), "a.b") == tag


def test_a_request_that_cannot_be_sent_leaves_nothing_behind() -> None:
    def send(_msg: Message) -> None:
        raise TypeError("no JSON")

    core = HandleCore(send)
    with pytest.raises(TypeError):
        core.request(Sink(), "a.b")
    assert core.pending == 0


def test_the_end_of_the_connection_ends_every_request(wire: Wire) -> None:
    sinks = [Sink(), Sink()]
    wire.core.request(sinks[0], "a.b")
    wire.core.request(sinks[1], "a.b", flags=c.STREAMING)
    wire.core.fail_pending(errno.ECONNRESET)
    assert [[m.errnum for m in sink.got] for sink in sinks] == [[errno.ECONNRESET]] * 2
    assert wire.core.pending == 0
    with pytest.raises(ConnectionResetError):
        response_result(sinks[0].got[0])


def test_a_fault_of_who_asked_is_reported_and_stays_there(wire: Wire) -> None:
    class Bad:
        def feed(self, msg: Message) -> None:
            raise KeyError("oops")

    wire.core.request(Bad(), "a.b")
    wire.core.receive(response(wire.sent[0]))
    assert wire.crashes == [("a.b", "'oops'")]


@pytest.mark.parametrize(
    ("errnum", "text", "kind", "shown"),
    [
        (2, None, FileNotFoundError, "No such file or directory"),
        (2, "no cake", FileNotFoundError, "no cake"),
        (17, None, FileExistsError, "File exists"),
        (1, "Request requires owner credentials", PermissionError, "Request requires owner"),
        (110, None, TimeoutError, "Connection timed out"),
        (38, "Unknown service method 'a.b'", OSError, "Unknown service method 'a.b'"),
    ],
)
def test_a_failure_is_the_os_error_of_its_number(
    errnum: int, text: str | None, kind: type[OSError], shown: str
) -> None:
    with pytest.raises(kind, match=shown) as caught:
        response_result(error_response(request("a.b"), errnum, text))
    assert caught.value.errno == errnum


# -- requests that come in ------------------------------------------------------------------


def test_what_a_method_returns_is_the_answer(wire: Wire) -> None:
    wire.serve("a.dict", lambda req: {"got": req.json["n"]})
    wire.serve("a.mapping", lambda _req: MappingProxyType({"n": 1}))
    wire.serve("a.bytes", lambda _req: b"raw")
    wire.serve("a.none", lambda _req: None)
    wire.serve("a.later", lambda _req: DEFERRED)
    (answer,) = wire.ask("a.dict", {"n": 5})
    assert (answer.type, answer.matchtag, answer.routes, answer.errnum) == (
        c.RESPONSE,
        9,
        ("me",),
        0,
    )
    assert answer.json == {"got": 5}
    assert wire.ask("a.mapping")[0].json == {"n": 1}
    assert wire.ask("a.bytes")[0].data == b"raw"
    assert wire.ask("a.none")[0].data is None
    assert wire.ask("a.later") == []


def test_what_a_method_raises_is_the_failure(wire: Wire) -> None:
    def fail(_req: Message) -> None:
        raise rpc_error(errno.ENOENT, "no cake")

    def fail_plainly(_req: Message) -> None:
        raise rpc_error(errno.ENOENT)

    def fail_vaguely(_req: Message) -> None:
        raise OSError("something")

    wire.serve("a.fail", fail)
    wire.serve("a.plain", fail_plainly)
    wire.serve("a.vague", fail_vaguely)
    wire.serve("a.payload", lambda req: {"n": req.json["n"]})
    assert failure(wire.ask("a.fail")) == (errno.ENOENT, "no cake")
    assert failure(wire.ask("a.plain")) == (errno.ENOENT, None)
    assert failure(wire.ask("a.vague"))[0] == errno.EINVAL
    assert failure(wire.ask("a.payload", b"{")) == (errno.EPROTO, None)
    assert failure(wire.ask("a.payload")) == (errno.EPROTO, None)


def test_a_fault_of_a_method_is_answered_and_reported(wire: Wire) -> None:
    wire.serve("a.bad", lambda _req: 1 / 0)
    assert failure(wire.ask("a.bad")) == (
        errno.EIO,
        "internal error: ZeroDivisionError: division by zero",
    )
    assert wire.crashes == [("a.bad", "division by zero")]


@pytest.mark.parametrize("value", ["text", 5, ["a"], object()])
def test_an_answer_that_is_none_is_a_fault_not_a_silence(wire: Wire, value: object) -> None:
    wire.serve("a.odd", lambda _req: value)
    errnum, text = failure(wire.ask("a.odd"))
    assert errnum == errno.EIO
    assert text == f"internal error: TypeError: a method has returned {type(value).__name__}"


def test_an_answer_that_cannot_be_encoded_is_a_fault_not_a_silence() -> None:
    sent: list[bytes] = []

    def send(msg: Message) -> None:
        sent.append(msg.data or b"")

    core = HandleCore(send, crashed=lambda _msg, _exc: None)
    core.add_method("a.b", Method(lambda _req: {"a": object()}))
    core.receive(request("a.b", **OWNER))
    assert [text[:26] for text in sent] == [b"internal error: TypeError:"]


def test_nobody_is_answered_who_does_not_wait(wire: Wire) -> None:
    wire.serve("a.good", lambda _req: {})
    wire.serve("a.bad", lambda _req: 1 / 0)
    for topic in ("a.good", "a.bad", "a.unknown"):
        assert wire.ask(topic, flags=c.NORESPONSE) == []
    assert wire.ask("a.good", flags=c.NORESPONSE, **GUEST) == []


def test_an_unknown_method(wire: Wire) -> None:
    """CONTRACTS A13."""
    assert failure(wire.ask("a.what")) == (errno.ENOSYS, "Unknown service method 'a.what'")


@pytest.mark.parametrize(
    ("role", "caller", "text"),
    [
        (c.ROLE_NONE, c.ROLE_OWNER, None),
        (c.ROLE_NONE, c.ROLE_OWNER | c.ROLE_LOCAL, None),
        (c.ROLE_NONE, c.ROLE_USER, "Request requires owner credentials"),
        (c.ROLE_OWNER, c.ROLE_USER | c.ROLE_LOCAL, "Request requires owner credentials"),
        (c.ROLE_NONE, 0, "Request requires owner credentials"),
        (c.ROLE_USER, c.ROLE_OWNER, None),
        (c.ROLE_USER, c.ROLE_USER, None),
        (c.ROLE_USER, c.ROLE_LOCAL, "Request rejected due to insufficient privilege"),
        (c.ROLE_LOCAL, c.ROLE_USER, "Request rejected due to insufficient privilege"),
        (c.ROLE_LOCAL, c.ROLE_LOCAL, None),
        (c.ROLE_ALL, c.ROLE_USER, None),
        (c.ROLE_ALL, 0x40, None),
    ],
)
def test_who_may_call(wire: Wire, role: int, caller: int, text: str | None) -> None:
    """CONTRACTS A5."""
    wire.serve("a.b", lambda _req: None, role)
    expected = (0, None) if text is None else (errno.EPERM, text)
    assert failure(wire.ask("a.b", userid=1, rolemask=caller)) == expected


def test_a_topic_is_served_once(wire: Wire) -> None:
    wire.serve("a.b", lambda _req: None)
    with pytest.raises(ValueError, match=r"a\.b is served already"):
        wire.serve("a.b", lambda _req: None)
    wire.core.remove_method("a.b")
    assert not wire.core.serves("a.b")
    wire.serve("a.b", lambda _req: None)


def test_a_fallback_serves_the_rest(wire: Wire) -> None:
    wire.serve("a.b", lambda _req: {"from": "method"})
    wire.core.set_fallback(Method(lambda req: {"from": req.topic}))
    assert wire.ask("a.b")[0].json == {"from": "method"}
    assert wire.ask("x.y")[0].json == {"from": "x.y"}


def test_a_response_with_a_route_left_is_a_clients(wire: Wire) -> None:
    forwarded: list[Message] = []
    wire.core.set_forwarder(forwarded.append)
    sink = Sink()
    wire.core.request(sink, "a.b")
    wire.core.receive(response(wire.sent[0].pushed("client")))
    assert (len(forwarded), len(sink.got)) == (1, 0)
    wire.core.receive(response(wire.sent[0]))
    assert (len(forwarded), len(sink.got)) == (1, 1)


def test_a_coroutine_method_needs_a_shell_that_runs_it(wire: Wire) -> None:
    async def later() -> None:
        """Never run."""

    made = later()
    wire.serve("a.b", lambda _req: made)
    assert failure(wire.ask("a.b"))[0] == errno.EIO
    made.close()


# -- events ---------------------------------------------------------------------------------


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


def test_a_service_completes_topics_that_start_with_a_dot(wire: Wire) -> None:
    class Echo(Service):
        @method(".say", role=c.ROLE_USER)
        @method("old.say")
        def say(self, req: Message) -> dict[str, Any]:
            return {"topic": req.topic}

        @on_event(".now")
        def now(self, _event: Message) -> None: ...

    assert Echo().bind(wire.core, "echo") == ["echo.now"]
    assert wire.ask("echo.say", **GUEST)[0].json == {"topic": "echo.say"}
    assert failure(wire.ask("old.say", **GUEST))[0] == errno.EPERM
    assert wire.ask("old.say")[0].json == {"topic": "old.say"}


# -- statistics -----------------------------------------------------------------------------


def test_messages_are_counted_by_type(wire: Wire) -> None:
    """CONTRACTS A25: what stats-get answers by default."""
    wire.serve("a.b", lambda _req: None)
    wire.ask("a.b")
    wire.core.request(Sink(), "x.y")
    wire.core.receive(event("e"))
    assert wire.core.stats() == {
        "tx": {"request": 1, "response": 1, "event": 0, "control": 0},
        "rx": {"request": 1, "response": 0, "event": 1, "control": 0},
    }
    wire.core.clear_stats()
    assert sum(sum(counts.values()) for counts in wire.core.stats().values()) == 0
