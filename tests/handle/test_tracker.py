"""Requests that wait for an answer, by model (CONTRACTS B6)."""

import errno

from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.handle.tracker import RpcTracker
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, request, response


def req(routes: tuple[str, ...], tag: int, topic: str = "a.b", flags: int = 0) -> Message:
    return request(topic, matchtag=tag, flags=flags).with_routes(routes)


def test_a_request_is_remembered_until_it_is_answered() -> None:
    tracker = RpcTracker()
    asked = req(("x", "y"), 1)
    tracker.sent(asked)
    assert len(tracker) == 1
    assert not tracker.received(response(req(("x",), 1)))
    assert not tracker.received(response(req(("x", "y"), 2)))
    assert tracker.received(response(asked))
    assert not tracker.received(response(asked))
    assert len(tracker) == 0
    assert tracker.purge() == []


def test_a_stream_is_remembered_until_its_error() -> None:
    tracker = RpcTracker()
    stream = req(("x",), 1, flags=c.STREAMING)
    tracker.sent(stream)
    for _ in range(3):
        assert tracker.received(response(stream))
    assert len(tracker) == 1
    assert tracker.received(error_response(stream, errno.ENODATA))
    assert len(tracker) == 0


def test_nobody_is_remembered_who_does_not_wait() -> None:
    tracker = RpcTracker()
    tracker.sent(req(("x",), 1, flags=c.NORESPONSE))
    tracker.sent(req(("x",), 0))
    assert len(tracker) == 0


def test_a_disconnect_forgets_what_its_sender_asked_of_that_service() -> None:
    tracker = RpcTracker()
    for routes, tag, topic in (
        (("x",), 1, "kvs.lookup"),
        (("x",), 2, "kvs-watch.lookup"),
        (("x",), 3, "kvs.commit"),
        (("y",), 1, "kvs.lookup"),
        (("x", "y"), 1, "kvs.lookup"),
    ):
        tracker.sent(req(routes, tag, topic))
    tracker.sent(req(("x",), 3, "kvs.disconnect", c.NORESPONSE))
    left = [(m.routes, m.matchtag) for m in tracker.purge()]
    assert left == [(("x",), 2), (("y",), 1), (("x", "y"), 1)]


keys = st.tuples(st.sampled_from([(), ("x",), ("y", "x")]), st.integers(0, 4))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["send", "answer", "purge"]), keys), max_size=30))
def test_against_a_model(steps: list[tuple[str, tuple[tuple[str, ...], int]]]) -> None:
    tracker, model = RpcTracker(), set[tuple[tuple[str, ...], int]]()
    for what, key in steps:
        if what == "send":
            tracker.sent(req(*key))
            model |= {key} if key[1] else set()
        elif what == "answer":
            assert tracker.received(response(req(*key))) is (key in model)
            model.discard(key)
        else:
            assert {(m.routes or (), m.matchtag) for m in tracker.purge()} == model
            model.clear()
        assert len(tracker) == len(model)
