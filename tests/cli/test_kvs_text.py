import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.errors import CommandError
from fluxcore.cli.kvs.columns import format_columns, format_value
from fluxcore.cli.kvs.get import lookup_flags
from fluxcore.cli.kvs.put import make_op
from fluxcore.cli.options import Parsed
from fluxcore.kvs.ops import append, put, put_treeobj


def parsed(*names: str) -> Parsed:
    given_ = Parsed()
    for name in names:
        given_.add(name, None)
    return given_


def rows(names: list[str], width: int) -> list[str]:
    return format_columns([(name, name) for name in names], width).splitlines()


def test_names_stand_in_columns_as_wide_as_the_longest():
    names = ["9z", "a", "admin", "d", "f", "resource", "t1", "t2", "t3"]
    assert rows(names, 80) == [
        "9z          a           admin       d           f           resource",
        "t1          t2          t3",
    ]


def test_a_width_of_nothing_is_no_limit_and_of_one_a_list():
    assert rows(["a", "bb"], 0) == ["a     bb"]
    assert rows(["a", "bb"], 1) == ["a", "bb"]
    assert rows([], 80) == []


def test_what_is_put_behind_a_name_does_not_count():
    assert format_columns([("a", "a."), ("bb", "bb@")], 80) == "a.    bb@\n"


@given(st.lists(st.text("abü", min_size=1, max_size=20), min_size=1), st.integers(1, 100))
def test_rows_keep_their_order_and_fit(names, width):
    lines = rows(names, width)
    assert [name for line in lines for name in line.split()] == names
    widest = max(len(name.encode()) for name in names) + 4
    assert all(len(line.encode()) <= max(width, widest) for line in lines)


@pytest.mark.parametrize(
    ("value", "width", "line"),
    [
        (b"1", 80, b"a.b = 1"),
        (b"0123456789", 12, b"a.b = 012..."),
        (b"0123456789", 0, b"a.b = 0123456789"),
        (b"0123456789", 3, b"a.b = 0123456789"),
        (b"one\ntwo", 80, b"a.b = one..."),
        (b"one\n", 80, b"a.b = one"),
        (b"one\n", 0, b"a.b = one\n"),
        ("ƒƒƒƒ".encode(), 12, "a.b = ƒ...".encode()),
        (b"", 80, b"a.b = "),
    ],
)
def test_a_value_is_cut_to_one_line(value, width, line):
    assert format_value("a.b", value, width) == line


@given(st.text(), st.integers(4, 60))
def test_a_cut_value_is_still_text_and_fits(text, width):
    line = format_value("k", text.encode(), width)
    line.decode()
    assert len(line) <= width
    assert b"\n" not in line


@pytest.mark.parametrize(
    ("names", "flags"),
    [
        ([], 0),
        (["treeobj"], 16),
        (["watch"], 4),
        (["watch", "full", "uniq", "append"], 4 | 64 | 128 | 256),
        (["uniq"], 0),
        (["waitcreate", "stream"], 8 | 512),
    ],
)
def test_options_of_get_are_lookup_flags(names, flags):
    assert lookup_flags(parsed(*names)) == flags


def test_values_are_bytes():
    assert make_op(parsed(), "a.b=x=y") == put("a.b", b"x=y")
    assert make_op(parsed(), "a=" + os.fsdecode(b"\xff")) == put("a", b"\xff")
    assert make_op(parsed("append"), "a=") == append("a", b"")
    obj = {"data": ["sha1-" + "0" * 40], "type": "dirref", "ver": 1}
    text = '{"data":["sha1-' + "0" * 40 + '"],"type":"dirref","ver":1}'
    assert make_op(parsed("treeobj"), f"d={text}") == put_treeobj("d", obj)


@pytest.mark.parametrize(
    ("names", "arg", "text"),
    [
        ([], "a", "put: you must specify a value as key=value"),
        ([], "=x", ": Invalid argument"),
        ([], os.fsdecode(b"\xff=x"), os.fsdecode(b"\xff: Invalid argument")),
        (["treeobj"], "a=x", "a: Protocol error"),
        (["treeobj"], 'a={"type":"val"}', "a: Protocol error"),
    ],
)
def test_what_cannot_be_put_is_refused(names, arg, text):
    with pytest.raises(CommandError) as caught:
        make_op(parsed(*names), arg)
    assert caught.value.text == text
