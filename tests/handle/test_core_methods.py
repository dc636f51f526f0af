"""The handle without IO: requests that come in, and what serves them."""

import errno
from types import MappingProxyType
from typing import Any

import pytest

from fluxcore.handle.core import HandleCore
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Method, Service, method, on_event
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request, response
from support.handle_wire import GUEST, OWNER, Sink, Wire, failure


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
