"""Small values of the handle: log lines, URIs, poses."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.handle.creds import Creds
from fluxcore.handle.logline import (
    LOG_ERR,
    LOG_INFO,
    LogEntry,
    format_line,
    format_timestamp,
    parse_line,
)
from fluxcore.handle.uri import local_path
from fluxcore.wire import constants as c
from fluxcore.wire.message import request, response

# -- log lines (CONTRACTS A32) --------------------------------------------------------------


def test_a_log_line_as_it_travels() -> None:
    line = format_line(LOG_ERR, "oops\n", now=1764400881.140613, rank="0", app="kvs", pid=7)
    assert line == b"<24>1 2025-11-29T07:21:21.140613Z 0 kvs 7 - - oops"
    assert parse_line(line) == LogEntry(3, "2025-11-29T07:21:21.140613Z", "0", "kvs", "oops")


def test_microseconds_are_six_digits() -> None:
    assert format_timestamp(0.0) == "1970-01-01T00:00:00.000000Z"
    assert format_timestamp(1.000001) == "1970-01-01T00:00:01.000001Z"


@given(
    st.integers(0, 7),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n")),
    st.floats(0, 4e9),
)
def test_a_line_is_read_as_it_was_written(severity: int, text: str, now: float) -> None:
    entry = parse_line(format_line(severity, text, now=now, rank="3", app="a"))
    assert (entry.severity, entry.rank, entry.app, entry.text) == (severity, "3", "a", text)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"<>1 t 0 a 1 - - x",
        b"<x>1 t 0 a 1 - - x",
        b"<-8>1 t 0 a 1 - - x",
        "<\u00b2>1 t 0 a 1 - - x".encode(),  # a digit that is no number
        b"<" + b"9" * 5000 + b">1 t 0 a 1 - - x",
        b"<24 1 t 0 a 1 - - x",
        b"<24>1 t 0 a 1 - -",
    ],
)
def test_what_is_no_log_line_is_an_entry_of_its_text(line: bytes) -> None:
    assert parse_line(line) == LogEntry(LOG_INFO, "-", "-", "-", line.decode())


@given(st.binary(max_size=80))
def test_any_bytes_are_an_entry(line: bytes) -> None:
    assert 0 <= parse_line(line).severity <= 7
    assert 0 <= parse_line(b"<" + line + b">1 t 0 a 1 - - x").severity <= 7


# -- URIs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("local:///tmp/flux-x/local-0", "/tmp/flux-x/local-0"),
        ("local:///tmp/a%20b", "/tmp/a b"),
        ("local:///tmp/a?b#c", "/tmp/a?b#c"),
        ("local://relative", "relative"),
    ],
)
def test_a_local_uri_names_a_socket(uri: str, path: str) -> None:
    assert local_path(uri) == path
    assert local_path(environ={"FLUX_URI": uri}) == path


@pytest.mark.parametrize("uri", ["ssh://host/x", "local://", "local:/x", "x", "http://[x"])
def test_another_uri(uri: str) -> None:
    with pytest.raises(OSError, match="not a local:// URI") as caught:
        local_path(uri)
    assert caught.value.errno == errno.EINVAL


def test_no_uri() -> None:
    for environ in ({}, {"FLUX_URI": ""}):
        with pytest.raises(FileNotFoundError, match="FLUX_URI is not set"):
            local_path(environ=environ)


# -- poses (CONTRACTS A5) -------------------------------------------------------------------


def test_without_a_pose_the_broker_fills_in_who_we_are() -> None:
    assert Creds.from_environ({}) == Creds(c.USERID_UNKNOWN, c.ROLE_NONE)


def test_a_pose_is_put_on_what_has_no_credentials() -> None:
    creds = Creds.from_environ({"FLUX_HANDLE_USERID": "42", "FLUX_HANDLE_ROLEMASK": "0x2"})
    assert creds == Creds(42, 2)
    plain, vouched, answer = request("a"), request("a", userid=7), response(request("a"))
    for msg in (plain, vouched, answer):
        creds.stamp(msg)
    assert (plain.userid, plain.rolemask) == (42, 2)
    assert (vouched.userid, vouched.rolemask) == (7, 0)
    assert (answer.userid, answer.rolemask) == (c.USERID_UNKNOWN, 0)


@pytest.mark.parametrize("name", ["FLUX_HANDLE_USERID", "FLUX_HANDLE_ROLEMASK"])
@pytest.mark.parametrize("text", ["", "me", "-1", "4294967296", "1.5"])
def test_a_pose_that_is_no_number(name: str, text: str) -> None:
    with pytest.raises(OSError, match=f"{name}={text} is no 32-bit number") as caught:
        Creds.from_environ({name: text})
    assert caught.value.errno == errno.EINVAL
