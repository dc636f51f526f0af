"""RFC 24: the events of a job's output, as flux-core writes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job import output
from fluxcore.job.eventlog import Event, decode_log
from fluxcore.job.output import Data, Header, Log, Redirect

# From a run of flux-core 0.88, and the redirect of another.
LOG = (
    '{"timestamp":1.5,"name":"header","context":{"version":1,"encoding":{"stdout":"UTF-8",'
    '"stderr":"UTF-8"},"count":{"stdout":4,"stderr":4},"options":{}}}\n'
    '{"timestamp":1.5,"name":"data","context":{"stream":"stderr","rank":"1",'
    '"encoding":"base64","data":"/3g="}}\n'
    '{"timestamp":1.5,"name":"data","context":{"stream":"stdout","rank":"1","data":"hi\\n"}}\n'
    '{"timestamp":1.5,"name":"data","context":{"stream":"stdout","rank":"1","eof":true}}\n'
    '{"timestamp":1.5,"name":"redirect","context":{"stream":"stdout","rank":"0",'
    '"path":"flux-ƒ2m7mXpb.out"}}\n'
    '{"timestamp":1.5,"name":"log","context":{"rank":0,"level":0,"message":"task 0 (host vm):'
    ' start failed","file":"shell.c","line":2036}}\n'
    '{"timestamp":1.5,"name":"log","context":{"rank":0,"level":6,"message":"simple wire",'
    '"component":"pmi-simple","file":"pmi/pmi.c","line":526}}\n'
)
MEANING: list[output.Output] = [
    Header({"stdout": "UTF-8", "stderr": "UTF-8"}, {"stdout": 4, "stderr": 4}),
    Data("stderr", "1", b"\xffx"),
    Data("stdout", "1", b"hi\n"),
    Data("stdout", "1", eof=True),
    Redirect("stdout", "0", "flux-ƒ2m7mXpb.out"),
    Log(0, "task 0 (host vm): start failed", 0, file="shell.c", line=2036),
    Log(6, "simple wire", 0, component="pmi-simple", file="pmi/pmi.c", line=526),
]


def context_of(meaning: output.Output) -> dict[str, Any]:
    match meaning:
        case Header():
            return output.encode_header(meaning.count["stdout"])
        case Data():
            return output.encode_data(meaning.stream, meaning.rank, meaning.data, eof=meaning.eof)
        case Redirect():
            return output.encode_redirect(meaning.stream, meaning.rank, meaning.path or "")
        case Log():
            return output.encode_log(meaning)


def test_a_log_of_flux_core_is_read_and_written() -> None:
    events = decode_log(LOG)
    assert [output.decode(event) for event in events] == MEANING
    again = [
        Event(1.5, event.name, context_of(meaning))
        for event, meaning in zip(events, MEANING, strict=True)
    ]
    assert b"".join(event.encode() for event in again).decode() == LOG


@given(st.binary(), st.booleans())
def test_all_data_comes_back(data: bytes, eof: bool) -> None:
    if not data and not eof:
        return
    context = output.encode_data("stdout", "0-3", data, eof=eof)
    assert output.decode_data(context) == Data("stdout", "0-3", data, eof)


def test_data_is_text_where_it_can_be() -> None:
    assert output.encode_data("stdin", "all", "ƒ🥔".encode()) == {
        "stream": "stdin",
        "rank": "all",
        "data": "ƒ🥔",
    }
    assert output.encode_data("stdin", "all", eof=True) == {
        "stream": "stdin",
        "rank": "all",
        "eof": True,
    }
    with pytest.raises(ValueError, match="neither data nor eof"):
        output.encode_data("stdin", "all")


def test_the_header_sets_the_encoding() -> None:
    header = Header({"stdout": "base64"}, {})
    event = Event(1.0, "data", {"stream": "stdout", "rank": "0", "data": "aGk="})
    assert output.decode(event, header) == Data("stdout", "0", b"hi")
    assert output.decode(event) == Data("stdout", "0", b"aGk=")


def test_other_events_say_nothing() -> None:
    assert output.decode(Event(1.0, "unheard-of")) is None


@pytest.mark.parametrize(
    ("name", "context", "text"),
    [
        ("data", None, "neither data nor eof"),
        ("data", {"stream": "x", "rank": "0"}, "neither data nor eof"),
        ("data", {"stream": "x", "rank": "0", "eof": 1}, "neither data nor eof"),
        ("data", {"rank": "0", "eof": True}, "stream must be a string"),
        ("data", {"stream": "x", "rank": 0, "eof": True}, "rank must be a string"),
        ("data", {"stream": "x", "rank": "0", "data": 1}, "data must be a string"),
        (
            "data",
            {"stream": "x", "rank": "0", "data": "?", "encoding": "base64"},
            "data is not base64",
        ),
        ("redirect", {"stream": "x"}, "rank must be a string"),
        ("log", {"message": "x"}, "needs a level"),
        ("log", {"level": 1}, "message must be a string"),
        ("header", {"version": 2, "encoding": {}}, "not a header"),
        ("header", {"version": 1}, "not a header"),
    ],
)
def test_what_is_malformed(name: str, context: dict[str, Any] | None, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        output.decode(Event(1.0, name, context))


def test_a_log_without_a_place() -> None:
    assert output.encode_log(Log(3, "x")) == {"level": 3, "message": "x"}
