"""Eventlogs: RFC 18's lines both ways, whole logs, and the text that users see."""

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job.eventlog import Event, decode, decode_log, from_object
from fluxcore.job.eventlog_text import EventFormatter

SUBMIT = Event(1795332778.425832, "submit", {"userid": 0, "urgency": 16, "flags": 4, "version": 1})
ALLOC = Event(
    1795332778.4529102,
    "alloc",
    {"annotations": {"sched": {"resource_summary": "rank0/core0"}}},
)


def test_an_event_is_a_line_as_flux_core_writes_it() -> None:
    assert SUBMIT.encode() == (
        b'{"timestamp":1795332778.425832,"name":"submit",'
        b'"context":{"userid":0,"urgency":16,"flags":4,"version":1}}\n'
    )
    assert Event(1.0, "free").encode() == b'{"timestamp":1.0,"name":"free"}\n'
    assert Event(1.5, "x", {}).encode() == b'{"timestamp":1.5,"name":"x","context":{}}\n'


def test_an_event_comes_back_from_its_line() -> None:
    assert decode(ALLOC.encode()) == ALLOC
    assert decode(ALLOC.encode().decode().rstrip("\n")) == ALLOC
    assert decode('{"name":"a","timestamp":2}') == Event(2.0, "a")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("", None),
        ("{", None),
        ("[]", "must be an object"),
        ('{"name":"a"}', "timestamp"),
        ('{"name":"a","timestamp":"1"}', "timestamp"),
        ('{"name":"a","timestamp":true}', "timestamp"),
        ('{"timestamp":1}', "name"),
        ('{"timestamp":1,"name":2}', "name"),
        ('{"timestamp":1,"name":"a","context":[]}', "context must be an object"),
        ('{"timestamp":1,"name":"a","context":null}', "context must be an object"),
    ],
)
def test_what_is_no_event_is_refused(line: str, error: str | None) -> None:
    with pytest.raises(ValueError, match=error):
        decode(line)


def test_a_log_is_its_events() -> None:
    log = SUBMIT.encode() + ALLOC.encode()
    assert decode_log(log) == [SUBMIT, ALLOC]
    assert decode_log(log.decode()) == [SUBMIT, ALLOC]
    assert decode_log("") == []


@pytest.mark.parametrize("log", [SUBMIT.encode()[:-1], b"\n", SUBMIT.encode() + b"\n", b"{}\n"])
def test_a_broken_log_is_refused(log: bytes) -> None:
    with pytest.raises(ValueError):
        decode_log(log)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
events = st.builds(
    Event,
    st.floats(0, 2e9),
    st.text(),
    st.none() | st.dictionaries(st.text(), json_values, max_size=3),
)


@settings(max_examples=30)
@given(st.lists(events, max_size=4))
def test_every_log_comes_back(log: list[Event]) -> None:
    assert decode_log(b"".join(event.encode() for event in log)) == log
    assert [from_object(event.to_object()) for event in log] == log


@settings(max_examples=40)
@given(events)
def test_a_line_is_plain_json(event: Event) -> None:
    line = event.encode()
    assert line.count(b"\n") == 1
    keys = ["timestamp", "name"] if event.context is None else ["timestamp", "name", "context"]
    assert list(json.loads(line)) == keys
    assert json.loads(line)["timestamp"] == event.timestamp


# -- text -----------------------------------------------------------------------------------

EAST = timezone(timedelta(hours=5, minutes=30))


def show(formatter: EventFormatter, *events: Event) -> list[str]:
    return [formatter.format(event) for event in events]


def test_raw_times_have_microseconds() -> None:
    memo = Event(1795332778.48771, "memo", {"uri": "ssh://vm/x", "é": [1, "ü"], "ok": True})
    assert show(EventFormatter(), SUBMIT, ALLOC, Event(1.0, "free"), memo) == [
        "1795332778.425832 submit userid=0 urgency=16 flags=4 version=1",
        '1795332778.452910 alloc annotations={"sched":{"resource_summary":"rank0/core0"}}',
        "1.000000 free",
        '1795332778.487710 memo uri="ssh://vm/x" é=[1,"ü"] ok=true',
    ]


def test_offsets_start_at_the_first_event() -> None:
    shown = show(EventFormatter("offset"), SUBMIT, ALLOC)
    assert [line.split()[0] for line in shown] == ["0.000000", "0.027078"]


def test_iso_times_have_a_zone() -> None:
    event = Event(1552593348.073045, "x")
    assert show(EventFormatter("iso", zone=UTC), event) == ["2019-03-14T19:55:48.073045Z x"]
    assert show(EventFormatter("iso", zone=EAST), event) == ["2019-03-15T01:25:48.073045+05:30 x"]


def test_human_times_show_the_minute_once() -> None:
    start = 1552593348.0
    log = [Event(start + after, "x") for after in (0.0, 1.25, 12.0, 13.5)]
    assert show(EventFormatter("human", zone=UTC), *log) == [
        "[Mar14 19:55] x",
        "[  +1.250000] x",
        "[Mar14 19:56] x",
        "[  +1.500000] x",
    ]


def test_json_is_the_line_itself() -> None:
    assert show(EventFormatter(as_json=True), SUBMIT) == [SUBMIT.encode().decode()[:-1]]


def test_colors() -> None:
    exception = Event(1.0, "exception", {"severity": 0, "note": "x"})
    assert show(EventFormatter(color=True), Event(1.0, "free"), exception) == [
        "\x1b[32m1.000000\x1b[0m \x1b[33mfree\x1b[0m",
        "\x1b[32m1.000000\x1b[0m \x1b[1m\x1b[31mexception\x1b[0m"
        ' \x1b[34mseverity\x1b[0m=\x1b[37m0\x1b[0m \x1b[34mnote\x1b[0m=\x1b[35m"x"\x1b[0m',
    ]


def test_an_unknown_time_format_is_named() -> None:
    with pytest.raises(ValueError, match="invalid time-format type 'roman'"):
        EventFormatter("roman")
