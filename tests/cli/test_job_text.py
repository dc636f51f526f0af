import os
import signal
import sys

import pytest

from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.eventlog import log_path, not_found
from fluxcore.cli.job.id import convert
from fluxcore.cli.job.ids import id_text, parse_id
from fluxcore.cli.job.last import parse_slice
from fluxcore.cli.job.raise_exception import split_arguments
from fluxcore.cli.job.signals import parse_signal
from fluxcore.cli.job.status_line import StatusDisplay, StatusLine
from fluxcore.cli.job.submit import sign, submit_flags
from fluxcore.cli.job.wait_event import matches, parse_context
from fluxcore.cli.options import Parsed
from fluxcore.job.eventlog import Event
from fluxcore.job.sign import unwrap


def test_ids_are_read_in_any_form_and_written_in_f58(monkeypatch):
    assert parse_id("0x12d687") == parse_id("1234567") == 1234567
    with pytest.raises(CommandError, match='error parsing jobid: "zz!"'):
        parse_id("zz!")
    monkeypatch.delenv("FLUX_F58_FORCE_ASCII", raising=False)
    assert id_text(1234567).endswith("7Kze")
    monkeypatch.setenv("FLUX_F58_FORCE_ASCII", "1")
    assert id_text(1234567) == "f7Kze"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("dec", "1234567"),
        ("hex", "0x12d687"),
        ("dothex", "0000.0000.0012.d687"),
        ("kvs", "job.0000.0000.0012.d687"),
        ("words", "mars-video-academy--academy-academy-academy"),
        ("emoji", "😆🎹🍀"),
        ("f58plain", "f7Kze"),
    ],
)
def test_ids_are_converted_to_every_form(form, text):
    assert convert("1234567", form) == text
    assert convert(text, "dec") == "1234567"


def test_what_cannot_be_converted_is_named():
    with pytest.raises(CommandError, match="zzz: malformed input"):
        convert("zzz", "dec")
    with pytest.raises(CommandError, match="Unknown to=zz"):
        convert("1", "zz")


@pytest.mark.parametrize(("text", "found"), [("1", "[:1]"), ("3", "[:3]"), ("[1:2]", "[1:2]")])
def test_the_latest_jobs_are_asked_for_by_number_or_slice(text, found):
    assert parse_slice(text) == found


def test_what_is_no_slice_is_refused():
    with pytest.raises(UsageError):
        parse_slice("x")


@pytest.mark.parametrize(
    ("args", "ids", "note"),
    [
        (["1", "0x2"], [1, 2], None),
        (["1", "please", "stop"], [1], "please stop"),
        (["1", "--", "2", "x"], [1], "2 x"),
        (["oops"], [], "oops"),
    ],
)
def test_behind_the_ids_there_may_be_a_note(args, ids, note):
    found, text = split_arguments(args)
    assert ([number for _, number in found], text) == (ids, note)


@pytest.mark.parametrize(
    ("text", "signum"),
    [("TERM", signal.SIGTERM), ("SIGTERM", signal.SIGTERM), ("15", 15), ("64", 64)],
)
def test_signals_have_names_and_numbers(text, signum):
    assert parse_signal(text) == signum


@pytest.mark.parametrize("text", ["", "SIG", "ZZ", "0", "-1", "65", "term"])
def test_what_is_no_signal_is_none(text):
    assert parse_signal(text) is None


def test_logs_have_short_names():
    parsed = Parsed()
    assert log_path(parsed) == "eventlog"
    parsed.add("path", "exec")
    assert log_path(parsed) == "guest.exec.eventlog"
    parsed.add("path", "guest.foo")
    assert log_path(parsed) == "guest.foo"
    assert not_found("ƒ1", "eventlog").text == "job ƒ1 not found"
    assert not_found("ƒ1", "guest.foo").text == "eventlog path guest.foo not found"


@pytest.mark.parametrize(
    ("name", "context", "found"),
    [
        ("finish", None, True),
        ("start", None, False),
        ("finish", ("status", "0"), True),
        ("finish", ("status", "1"), False),
        ("finish", ("ranks", "all"), True),
        ("finish", ("ranks", '"all"'), True),
        ("finish", ("map", '{"a":[1,2]}'), True),
        ("finish", ("nosuch", "1"), False),
    ],
)
def test_an_event_is_known_by_its_name_and_context(name, context, found):
    event = Event(1.0, "finish", {"status": 0, "ranks": "all", "map": {"a": [1, 2]}})
    assert matches(event, name, context) is found


def test_a_context_is_a_key_and_a_value():
    assert parse_context(None) is None
    assert parse_context("a=b=c") == ("a", "b=c")
    with pytest.raises(CommandError, match="must specify a context test as key=value"):
        parse_context("a")


def test_a_jobspec_in_json_is_sent_as_it_is_and_yaml_as_json():
    assert unwrap(sign(b' {"version": 1}\n', "-"))[0] == b' {"version": 1}\n'
    assert unwrap(sign("version: 1\nname: ƒ\n".encode(), "-"))[0].decode() == (
        '{"version":1,"name":"ƒ"}'
    )


@pytest.mark.parametrize("spec", [b"a: [1\n", b"\xff"])
def test_what_is_neither_is_refused_with_its_place(spec):
    with pytest.raises(CommandError, match=r"^spec\.yaml: "):
        sign(spec, "spec.yaml")


def test_flags_are_names():
    assert submit_flags(["debug,waitable", "signed"]) == 2 | 4 | 1
    assert submit_flags([]) == 0
    with pytest.raises(CommandError, match="unknown flag: zz"):
        submit_flags(["zz"])


def test_the_status_line_says_what_a_job_waits_for():
    line = StatusLine("ƒX")
    assert line.text(0.0, 60) == ""
    for name, text in [
        ("submit", "submitted"),
        ("validate", "resolving dependencies"),
        ("depend", "waiting for priority assignment"),
        ("priority", "waiting for resources"),
        ("memo", "waiting for resources"),
        ("alloc", "starting"),
        ("prolog-start", "waiting for prolog"),
        ("prolog-start", "waiting for prolog"),
        ("prolog-finish", "waiting for prolog"),
        ("prolog-finish", "starting"),
    ]:
        line.event(Event(1.0, name))
        assert line.text(3725.5, 60) == f"\rflux-job: ƒX {text:<38} 01:02:05\r"
    line.event(Event(1.0, "exception", {"severity": 0}))
    assert "canceling due to exception" in line.text(1.0, 60)


@pytest.mark.parametrize(("columns", "width"), [(0, 80), (50, 50)])
def test_the_status_line_is_as_wide_as_the_terminal(monkeypatch, capsys, columns, width):
    monkeypatch.delenv("FLUX_ATTACH_NONINTERACTIVE", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("os.get_terminal_size", lambda fd: os.terminal_size((columns, 0)))
    display = StatusDisplay("ƒX", at_once=True, allowed=True)
    display.event(Event(1.0, "submit"))
    display.show(None)
    line = StatusLine("ƒX")
    line.event(Event(1.0, "submit"))
    assert capsys.readouterr().err == line.text(0.0, width)
