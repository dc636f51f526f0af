import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.eventlog import Event
from fluxtop.data.values import FORMS, SHOWN, hex_lines, show, suits

EVENT = b'{"timestamp":1.5,"name":"submit","context":{"urgency":16}}\n'


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", "text"),
        (b"hello", "text"),
        ("🥔️🍠️\n".encode(), "text"),
        (b'{"a": [1, 2]}', "json"),
        (b"[]", "json"),
        (b"{not json", "text"),
        (EVENT * 2, "events"),
        (b"\xff\xfe\x00", "hex"),
        (b"a\x1b[31mred", "hex"),
    ],
)
def test_a_value_is_shown_in_the_form_that_suits_it(data, form):
    assert suits(data) == form
    assert show(data).form == form


def test_json_is_laid_out():
    assert show(b'{"a":[1,2]}').lines == ("{", '  "a": [', "    1,", "    2", "  ]", "}")


def test_an_eventlog_is_taken_apart():
    assert show(EVENT).events == (Event(1.5, "submit", {"urgency": 16}),)


def test_a_form_that_does_not_suit_gives_way():
    assert show(b"hello", "json").form == "text"
    assert show(b"\xff", "text").form == "hex"
    assert show(b"hello", "hex").lines[0].startswith("00000000  68 65 6c 6c 6f")


def test_a_large_value_is_cut_between_characters():
    shown = show("é".encode() * SHOWN)
    assert shown.cut
    assert shown.form == "text"


@given(st.binary(max_size=200), st.sampled_from(("auto", *FORMS)))
def test_every_value_has_every_form_or_another(data, form):
    shown = show(data, form)
    assert shown.lines or shown.events
    assert all("\x1b" not in line for line in shown.lines)


@given(st.binary(min_size=1, max_size=100))
def test_a_hex_dump_holds_the_bytes(data):
    digits = "".join(line[10:59].replace(" ", "") for line in hex_lines(data))
    assert bytes.fromhex(digits) == data
