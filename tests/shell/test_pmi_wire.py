"""Lines of the PMI-1 wire protocol."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.shell.pmi_wire import LineReader, decode, encode
from fluxcore.wire.errors import WireError

_WORD = st.text("abc_0=", min_size=1, max_size=6).filter(lambda word: not word.startswith("="))


@given(
    fields=st.dictionaries(st.sampled_from(["rc", "key", "kvsname"]), _WORD), value=st.text("a b=")
)
def test_what_is_encoded_is_decoded(fields: dict[str, str], value: str) -> None:
    line = encode("put", **fields, value=value)
    assert decode(line[:-1]) == {"cmd": "put", **fields, "value": value}


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_lines_are_the_same_however_they_come(data: bytes, cuts: list[int]) -> None:
    reader, lines = LineReader(), []
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        lines += reader.feed(data[start:end])
    assert lines == data.split(b"\n")[:-1]


def test_a_line_has_a_length() -> None:
    with pytest.raises(WireError, match="too long"):
        LineReader().feed(b"x" * 5000)
    with pytest.raises(WireError, match="too long"):
        LineReader().feed(b"x" * 5000 + b"\n")


@given(line=st.binary(max_size=40))
def test_any_line_is_decoded_or_refused(line: bytes) -> None:
    try:
        fields = decode(line)
    except WireError:
        return
    assert "cmd" in fields or "mcmd" in fields
