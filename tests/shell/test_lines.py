"""Output cut into data events."""

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.output import decode_data
from fluxcore.shell.lines import LINE_MAX, OutputStream


def texts(contexts: list[dict[str, Any]]) -> list[str]:
    return [context.get("data", "EOF") for context in contexts]


def test_a_line_is_an_event_and_a_part_of_one_waits() -> None:
    stream = OutputStream("stdout", 3, by_line=True)
    assert stream.feed(b"one\ntwo\nth") == [
        {"stream": "stdout", "rank": "3", "data": "one\n"},
        {"stream": "stdout", "rank": "3", "data": "two\n"},
    ]
    assert texts(stream.feed(b"ree")) == []
    assert texts(stream.feed(b"\n")) == ["three\n"]
    assert stream.end() == [{"stream": "stdout", "rank": "3", "eof": True}]


def test_a_last_line_without_newline_comes_at_the_end() -> None:
    stream = OutputStream("stdout", 0, by_line=True)
    assert stream.feed(b"prompt> ") == []
    assert texts(stream.end()) == ["prompt> ", "EOF"]


def test_an_unbuffered_stream_holds_nothing_back() -> None:
    stream = OutputStream("stderr", 0, by_line=False)
    assert texts(stream.feed(b"a\nb")) == ["a\n", "b"]
    assert texts(stream.end()) == ["EOF"]


def test_what_is_not_text_goes_as_base64_and_other_lines_as_they_are() -> None:
    stream = OutputStream("stdout", 0, by_line=True)
    good, bad = stream.feed(b"good\nb\xffd\n")
    assert good["data"] == "good\n"
    assert bad["encoding"] == "base64"
    assert base64.b64decode(bad["data"]) == b"b\xffd\n"


def test_carriage_returns_and_other_separators_end_no_line() -> None:
    stream = OutputStream("stdout", 0, by_line=True)
    assert texts(stream.feed("10%\r20%\r\u2028x\x0b\n".encode())) == ["10%\r20%\r\u2028x\x0b\n"]
    stream = OutputStream("stdout", 0, by_line=True)
    (only,) = stream.feed(b"10%\r\xff\n")
    assert decode_data(only).data == b"10%\r\xff\n"


def test_a_line_without_end_is_cut() -> None:
    stream = OutputStream("stdout", 0, by_line=True)
    (cut,) = stream.feed(b"x" * (LINE_MAX + 1))
    assert len(cut["data"]) == LINE_MAX + 1


@given(chunks=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"x", b"\n")), max_size=12))
def test_however_it_is_cut_nothing_is_lost(chunks: list[bytes]) -> None:
    for by_line in (True, False):
        stream = OutputStream("stdout", 0, by_line=by_line)
        contexts = [context for chunk in chunks if chunk for context in stream.feed(chunk)]
        contexts += stream.end()
        decoded = [decode_data(context) for context in contexts]
        assert b"".join(said.data for said in decoded) == b"".join(chunks)
        assert [said.eof for said in decoded] == [False] * (len(decoded) - 1) + [True]
        assert all(b"\n" not in said.data[:-1] for said in decoded)
        if by_line:
            assert all(said.data.endswith(b"\n") for said in decoded[:-2])
