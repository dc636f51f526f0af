import getopt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.errors import BadOptionError, MissingArgumentError, UnknownOptionError
from fluxcore.cli.options import Option, Parsed, parse

TABLE = [
    Option("long", "l"),
    Option("number", "n", "N"),
    Option("namespace", "N", "NS"),
    Option("color", "L", "WHEN", optional=True, attached=True),
    Option("verbose", "v", "LEVEL", optional=True),
]


def given_by(*args: str, ordered: bool = False, like_argparse: bool = False) -> Parsed:
    return parse(TABLE, args, ordered=ordered, like_argparse=like_argparse)


@pytest.mark.parametrize(
    ("args", "options", "rest"),
    [
        (["-l"], [("long", None)], []),
        (["-ln4", "x"], [("long", None), ("number", "4")], ["x"]),
        (["-n", "4"], [("number", "4")], []),
        (["-n", "-4"], [("number", "-4")], []),
        (["--number=4"], [("number", "4")], []),
        (["--number", "4"], [("number", "4")], []),
        (["--number="], [("number", "")], []),
        (["x", "-l", "y"], [("long", None)], ["x", "y"]),
        (["-l", "--", "-n", "4"], [("long", None)], ["-n", "4"]),
        (["-"], [], ["-"]),
        (["--lo"], [("long", None)], []),
        (["--nu=4"], [("number", "4")], []),
        (["-L", "always"], [("color", None)], ["always"]),
        (["-Lalways"], [("color", "always")], []),
        (["--color", "x"], [("color", None)], ["x"]),
        (["--color=never"], [("color", "never")], []),
        (["-vv"], [("verbose", None), ("verbose", None)], []),
        (["--verbose=2"], [("verbose", "2")], []),
    ],
)
def test_options_and_arguments_are_told_apart(args, options, rest):
    parsed = given_by(*args)
    assert (parsed.given, parsed.args) == (options, rest)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-x"], "unrecognized option '-x'"),
        (["-lx"], "unrecognized option '-x'"),
        (["--nosuch"], "unrecognized option '--nosuch'"),
        (["--n=1"], "unrecognized option '--n=1'"),  # number or namespace?
        (["--long=1"], "unrecognized option '--long=1'"),
    ],
)
def test_an_unknown_option_is_named(args, text):
    with pytest.raises(UnknownOptionError) as caught:
        given_by(*args)
    assert caught.value.text == text


@pytest.mark.parametrize("option", ["-n", "--number"])
def test_an_option_without_its_argument_is_named(option):
    with pytest.raises(MissingArgumentError) as caught:
        given_by("x", option)
    assert caught.value.text == f"'{option}' missing argument"


def test_the_first_argument_ends_the_options_of_a_command_that_runs_another():
    parsed = given_by("-l", "echo", "-n", "4", "--", "-x", ordered=True)
    assert parsed.args == ["echo", "-n", "4", "--", "-x"]
    assert given_by("-l", "--", "-x", ordered=True).args == ["-x"]


def test_argparse_takes_no_shortened_option_and_an_argument_that_stands_apart():
    with pytest.raises(UnknownOptionError):
        given_by("--numb", "4", like_argparse=True)
    parsed = given_by("--color", "always", "-L", "never", "-L", "-l", like_argparse=True)
    assert parsed.texts("color") == ["always", "never"]
    assert parsed.count("color") == 3


def test_the_last_of_several_arguments_counts():
    parsed = given_by("-n1", "-n2")
    assert parsed.text("number") == "2"
    assert parsed.texts("number") == ["1", "2"]
    assert parsed.integer("number", 0) == 2


def test_a_level_is_a_number_or_how_often_it_was_asked_for():
    assert given_by().integer("verbose", 0) == 0
    assert given_by("-v").integer("verbose", 0) == 1
    assert given_by("-vvv").integer("verbose", 0) == 3
    assert given_by("--verbose=7").integer("verbose", 0) == 7


@pytest.mark.parametrize("text", ["", "x", "1.5", "1 2", str(2**31), str(-(2**31) - 1)])
def test_what_is_no_integer_is_refused(text):
    with pytest.raises(BadOptionError, match="Option 'number' requires an integer argument"):
        given_by(f"--number={text}").integer("number", 0)


def test_numbers_and_durations_are_read():
    assert given_by("-n", "1.5").number("number", 0.0) == 1.5
    assert given_by("-n", "1.5m").duration("number", 0.0) == 90.0
    assert given_by().duration("number", 2.5) == 2.5
    with pytest.raises(BadOptionError, match="requires a floating point argument"):
        given_by("-n", "x").number("number", 0.0)
    with pytest.raises(BadOptionError, match="Invalid argument for option 'number': 'x'"):
        given_by("-n", "x").duration("number", 0.0)


@pytest.mark.parametrize(
    ("args", "expected"),
    [(["--color"], True), (["--color=always"], True), (["--color=never"], False), ([], False)],
)
def test_colours_are_as_asked_for_and_else_for_a_terminal(args, expected, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert given_by(*args).color() is expected


def test_no_other_word_is_about_colours():
    with pytest.raises(BadOptionError, match="Invalid argument to --color: 'zz'"):
        given_by("--color=zz").color()


@given(
    st.lists(
        st.sampled_from(["-l", "-n", "-n5", "-ln", "--long", "--number", "--number=x", "-N"])
        | st.sampled_from(["a", "b", "-", "--", "--lon", "--nam", "-z", "--zz"])
    )
)
def test_getopt_of_the_standard_library_agrees(args):
    table = [Option("long", "l"), Option("number", "n", "N"), Option("namespace", "N", "NS")]
    names = {"-l": "long", "-n": "number", "-N": "namespace"}
    try:
        options, rest = getopt.gnu_getopt(args, "ln:N:", ["long", "number=", "namespace="])
    except getopt.GetoptError:
        with pytest.raises(BadOptionError):
            parse(table, args)
        return
    parsed = parse(table, args)
    assert parsed.args == rest
    expected = [(names.get(name, name.removeprefix("--")), value) for name, value in options]
    assert [(name, value or "") for name, value in parsed.given] == expected
