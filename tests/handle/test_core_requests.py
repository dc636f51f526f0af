"""The handle without IO: requests that go out, and their responses."""

import errno

import pytest

from fluxcore.handle.core import HandleCore, response_result
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, event, request, response
from support.handle_wire import Sink, Wire


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
    wire.core.disconnect(errno.ECONNRESET)
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
