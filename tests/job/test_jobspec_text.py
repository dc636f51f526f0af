"""Jobspecs as text: YAML and JSON in, the place of each fault, and YAML out."""

from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job.jobspec import JobspecError, validate
from fluxcore.job.jobspec_text import (
    JobspecSyntaxError,
    dump_text,
    load_text,
    locate,
    template,
)

POTATO = """\
version: 1
resources:
  - type: slot
    count: 1
    with:
      - type: core
        count: 1
    label: task
tasks:
  - command: [echo, hello, potato, 🥔️🍠️]
    slot: task
    count:
      per_slot: 1
attributes:
  system:
    duration: 0
"""


def test_yaml_and_json_are_the_same_jobspec() -> None:
    spec = load_text(POTATO)
    validate(spec)
    assert spec["tasks"][0]["command"] == ["echo", "hello", "potato", "🥔️🍠️"]
    text = orjson.dumps(spec).decode()
    assert load_text(text) == load_text("\n  " + text) == spec


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{version: 1}", {"version": 1}),
        ("a: 2026-11-22", {"a": "2026-11-22"}),
        ("{ON: yes, 1: null, y: ~}", {"ON": True, "1": None, "y": None}),
        ("a: 0x10", {"a": 16}),
        ("a: 1.5", {"a": 1.5}),
        ("a: '1'", {"a": "1"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ('{"a":\t"\\ud83e\\udd54"}', {"a": "🥔"}),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert load_text(text) == value


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "jobspec is empty"),
        ("# nothing\n", 1, 1, "jobspec is empty"),
        ("a: b\n  c: d\n", 2, 4, "mapping values are not allowed"),
        ('{"a": 1,\n "b" 2}', 2, 6, "expected"),
        ("a: &x [1]\nb: *x\n", 2, 4, "aliases are not supported"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "key a is given twice"),
        ("a: !!binary aGk=\n", 1, 4, "is not supported"),
        ("a: !mine x\n", 1, 4, "tag !mine is not supported"),
        ("[a]: 1\n", 1, 1, "a key must be text"),
        ("a: 99999999999999999999\n", 1, 4, "number is too large"),
        ("a:\n  - .inf\n", 2, 5, "number is not finite"),
        ("a: 1\n---\nb: 2\n", 2, 1, "more than one document"),
        ("a: 1\nb: \x07\n", 2, 4, "not allowed"),
        ("[" * 100 + "]" * 100, 1, 66, "nested too deeply"),
    ],
)
def test_a_fault_has_a_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(JobspecSyntaxError) as caught:
        load_text(text)
    assert words in caught.value.text
    assert caught.value.position == (line, column)
    assert str(caught.value) == f"line {line}, column {column}: {caught.value.text}"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(JobspecSyntaxError):
        load_text(text)


@pytest.mark.parametrize(
    ("change", "line", "column"),
    [
        (("version: 1", "version: 2"), 1, 1),
        (("        count: 1", "        count: 0"), 7, 9),
        (("    label: task", "    # none"), 3, 5),
        (("    slot: task", "    slot: zz"), 11, 5),
        (("hello, potato", "hello, 17"), 10, 28),
        (("    duration: 0", "    duration: -1"), 16, 5),
        (("    duration: 0", "    cwd: /"), 15, 3),
        (("attributes:", "attrs:"), 1, 1),
    ],
)
def test_the_line_of_a_jobspec_error(change: tuple[str, str], line: int, column: int) -> None:
    assert change[0] in POTATO
    text = POTATO.replace(*change)
    with pytest.raises(JobspecError) as caught:
        validate(load_text(text))
    assert locate(text, caught.value.path) == (line, column)


def test_places_in_json() -> None:
    text = '{\n\t"tasks": [\n\t\t{"a": 1},\n\t\t{"b": "x\\/y"}]}'
    load_text(text)
    assert locate(text, ("tasks", 1, "b")) == (4, 4)
    assert locate(text, ("tasks", 1, "c", "d")) == (4, 3)
    assert locate(text, ("tasks", 7)) == (2, 2)
    assert locate(text, ()) == (1, 1)


def test_yaml_to_edit() -> None:
    assert dump_text(load_text(POTATO)) == POTATO


def test_long_values_stay_on_a_line() -> None:
    assert dump_text({"PATH": "/bin:" * 100 + " x"}).count("\n") == 1


def test_the_template_is_a_jobspec() -> None:
    text = template(["echo", "hello", "potato", "🥔️🍠️"], cwd="/home/user")
    assert text == (
        "# A job: what it needs, what it runs, and how. Saving submits it.\n"
        "\n"
        "version: 1\n"
        "\n"
        "# Slots, and what is in each. For nodes, put one around the slot:\n"
        "#   - {type: node, count: 2, with: [{type: slot, ...}]}\n"
        "resources:\n"
        "  - type: slot\n"
        "    count: 1\n"
        "    with:\n"
        "      - type: core\n"
        "        count: 1\n"
        "    label: task\n"
        "\n"
        "# One task for each slot; {total: 3} instead of per_slot for another number.\n"
        "tasks:\n"
        "  - command: [echo, hello, potato, 🥔️🍠️]\n"
        "    slot: task\n"
        "    count:\n"
        "      per_slot: 1\n"
        "\n"
        "# The duration is in seconds; 0 is no limit.\n"
        "attributes:\n"
        "  system:\n"
        "    duration: 0\n"
        "    cwd: /home/user\n"
    )
    validate(load_text(text))
    with_environment = load_text(template(["true"], environment={"A": "1", "ON": "no"}))
    assert with_environment["attributes"]["system"]["environment"] == {"A": "1", "ON": "no"}


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable
    | st.sampled_from(["yes", "1:30", "~", "1e3", "2026-01-01", "<<", "=", " x", "#", "- a", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30)
@given(st.dictionaries(printable, values, min_size=1, max_size=3))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert load_text(dump_text(value)) == value


@given(st.text("a:-{}[],\"'&*!|>#\n 1", max_size=20))
def test_any_text_is_a_value_or_a_syntax_error(text: str) -> None:
    try:
        value = load_text(text)
    except JobspecSyntaxError:
        return
    orjson.dumps(value)


def test_both_parsers_of_yaml_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_text(POTATO)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert load_text(POTATO) == expected
    with pytest.raises(JobspecSyntaxError, match="line 2, column 4"):
        load_text("a: b\n  c: d\n")
    with pytest.raises(JobspecSyntaxError, match="line 2, column 4"):
        load_text("a: 1\nb: \x07\n")
    with pytest.raises(JobspecSyntaxError):
        load_text("[" * 1000)
