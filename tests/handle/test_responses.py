"""The responses to one request, as both shells keep them."""

import errno

import pytest

from fluxcore.handle.responses import Responses
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, error_response, request, response

PLAIN = request("a.b", matchtag=1)
STREAM = request("a.b", matchtag=1, flags=c.STREAMING)


def rsp(req: Message, n: int) -> Message:
    return response(req, {"n": n})


def test_a_plain_request_ends_with_its_response_which_stays() -> None:
    got = Responses("a.b", 0)
    assert not got.ready
    got.feed(rsp(PLAIN, 1))
    assert got.ended
    assert [got.take().json["n"] for _ in range(3)] == [1, 1, 1]


def test_a_failure_stays_too() -> None:
    got = Responses("a.b", 0)
    got.feed(error_response(PLAIN, errno.ENOENT))
    for _ in range(2):
        assert got.ready
        with pytest.raises(FileNotFoundError):
            got.take()


def test_a_stream_ends_with_its_error() -> None:
    got = Responses("a.b", 0)
    for n in (1, 2):
        got.feed(rsp(STREAM, n))
    assert not got.ended
    assert [got.take().json["n"] for _ in range(2)] == [1, 2]
    assert not got.ready
    got.feed(error_response(STREAM, errno.ENODATA))
    for _ in range(2):
        with pytest.raises(OSError, match="No data available"):
            got.take()


def test_what_has_come_is_taken_before_the_end() -> None:
    got = Responses("a.b", 0)
    got.feed(rsp(STREAM, 1))
    got.expire(2.5)
    assert got.take().json["n"] == 1
    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"a\.b: no answer in 2\.5s"):
            got.take()


def test_a_function_takes_what_has_come_and_what_comes() -> None:
    got, seen = Responses("a.b", 0), list[int]()
    got.feed(rsp(STREAM, 1))
    got.then(lambda msg: seen.append(msg.errnum or msg.json["n"]))
    got.feed(rsp(STREAM, 2))
    got.feed(error_response(STREAM, errno.ENODATA))
    assert seen == [1, 2, errno.ENODATA]
    assert got.ended
