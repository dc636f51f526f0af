"""JSON by orjson and by the standard library: the same values, the same refusals."""

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.wire.jsontext import DEPTH, dumps, loads

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@pytest.fixture(params=["orjson", "json"])
def backend(request, monkeypatch):
    if request.param == "json":
        monkeypatch.delitem(sys.modules, "orjson", raising=False)
    else:
        import orjson  # noqa: F401 - it is there from now on


def by_json(function, *args):
    """``function`` as if nobody had imported orjson."""
    kept = sys.modules.pop("orjson", None)
    try:
        return function(*args)
    finally:
        if kept is not None:
            sys.modules["orjson"] = kept


@given(VALUES)
def test_each_reads_what_the_other_writes(value):
    assert loads(by_json(dumps, value)) == value
    assert by_json(loads, dumps(value)) == value


@given(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_both_refuse_the_same(data):
    def outcome(read):
        try:
            return read(data)
        except ValueError:
            return ValueError

    quick, light = outcome(loads), outcome(lambda text: by_json(loads, text))
    if quick is ValueError and light is not ValueError:
        # The standard library lets a lone surrogate pass; nobody sends one.
        assert "\\ud" in data.decode().lower()
    else:
        assert light == quick


def test_text_is_compact_and_not_escaped(backend):
    assert dumps({"a": [1, "ƒ"]}) == '{"a":[1,"ƒ"]}'.encode()


@pytest.mark.parametrize("value", [object(), {"a": b"x"}, "\ud800"])
def test_what_has_no_json_form_is_a_type_error(backend, value):
    with pytest.raises(TypeError):
        dumps(value)


def test_a_circle_has_no_json_form(backend):
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TypeError):
        dumps(circle)


@pytest.mark.parametrize("data", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(backend, data):
    with pytest.raises(ValueError):
        loads(data)


def test_a_number_that_is_none_does_not_travel_as_one():
    with pytest.raises(TypeError):
        by_json(dumps, math.nan)


def test_a_small_payload_does_not_import_orjson_and_a_large_one_does():
    script = (
        "import sys; from fluxcore.wire.message import decode_json, encode_json\n"
        "decode_json(encode_json({'a': 1})); print('orjson' in sys.modules)\n"
        "decode_json(encode_json({'a': 'x' * 100_000})); print('orjson' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.split() == [b"False", b"True"]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_is_read_can_be_written_within_something_else(opening):
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    obj = loads(nested(DEPTH))
    for _ in range(50):
        obj = {"in": obj}
    assert loads(nested(DEPTH)) == json.loads(nested(DEPTH))
    assert dumps(obj)
    for depth in (DEPTH + 1, 254, 300, 1000, 5000):
        with pytest.raises(ValueError):
            loads(nested(depth))
    wide = json.dumps([[n] for n in range(1000)]).encode()
    assert len(loads(wide)) == 1000
