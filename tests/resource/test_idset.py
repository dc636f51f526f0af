"""Idsets: RFC 22's text, and the algebra against Python's own sets."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.resource.idset import MAX_UNIVERSE, IdSet

sets = st.sets(st.integers(0, 40))


@pytest.mark.parametrize(
    ("text", "ids", "encoded"),
    [
        ("", [], ""),
        ("[]", [], ""),
        ("0", [0], "0"),
        ("[3]", [3], "3"),
        ("1,2,3,5,6,42", [1, 2, 3, 5, 6, 42], "1-3,5-6,42"),
        ("[1-3,5-6,42]", [1, 2, 3, 5, 6, 42], "1-3,5-6,42"),
        ("0-1,2-3", [0, 1, 2, 3], "0-3"),
        (",1,,2,", [1, 2], "1-2"),
        ("2147483646-2147483647", [2147483646, 2147483647], "2147483646-2147483647"),
    ],
)
def test_text_is_a_set(text: str, ids: list[int], encoded: str) -> None:
    assert list(IdSet.decode(text)) == ids
    assert IdSet.decode(text) == IdSet(ids)
    assert str(IdSet(ids)) == encoded


def test_brackets_are_for_more_than_one() -> None:
    assert IdSet.decode("0-1").encode(brackets=True) == "[0-1]"
    assert IdSet.decode("1").encode(brackets=True) == "1"
    assert IdSet().encode(brackets=True) == ""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x", "error parsing range 'x'"),
        ("-1", "error parsing range '-1'"),
        ("1-", "error parsing range '1-'"),
        ("3-1", "error parsing range '3-1'"),
        ("1-1", "error parsing range '1-1'"),
        ("1-2-3", "error parsing range '1-2-3'"),
        (" 1", "error parsing range ' 1'"),
        ("01", "error parsing range '01'"),
        ("٣", "error parsing range '٣'"),
        ("1,1", "range '1' is out of order"),
        ("3,0-1", "range '0-1' is out of order"),
        ("[1", "mismatched or nested brackets"),
        ("[[1]]", "mismatched or nested brackets"),
        ("2147483648", "set universe size would exceed maximum"),
        ("0-99999999999", "set universe size would exceed maximum"),
        ("9" * 5000, "set universe size would exceed maximum"),
    ],
)
def test_bad_text_is_refused(text: str, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        IdSet.decode(text)
    assert str(caught.value) == error


def test_a_huge_range_costs_nothing() -> None:
    everything = IdSet.decode("0-2147483647")
    assert len(everything) == MAX_UNIVERSE
    assert 2**31 - 1 in everything
    assert 2**31 not in everything
    assert str(everything - IdSet([7])) == "0-6,8-2147483647"


def test_ids_have_bounds() -> None:
    for ids in ([-1], [MAX_UNIVERSE]):
        with pytest.raises(ValueError, match="out of range"):
            IdSet(ids)
    with pytest.raises(ValueError, match="out of range"):
        IdSet.span(0, MAX_UNIVERSE)


def test_the_ends_of_a_set() -> None:
    assert (IdSet.decode("3-5,9").first, IdSet.decode("3-5,9").last) == (3, 9)
    with pytest.raises(IndexError):
        _ = IdSet().first
    assert IdSet.span(2, 4) == IdSet([2, 3, 4])
    assert IdSet.span(2, 1) == IdSet()
    assert repr(IdSet([1, 2])) == "IdSet.decode('1-2')"


def test_only_integers_are_members() -> None:
    assert "1" not in IdSet([1])
    assert IdSet([1]) != {1}


@given(sets)
def test_a_set_is_its_ids(ids: set[int]) -> None:
    idset = IdSet(ids)
    assert list(idset) == sorted(ids)
    assert len(idset) == len(ids)
    assert bool(idset) == bool(ids)
    assert {i for i in range(50) if i in idset} == ids
    assert IdSet.decode(idset.encode()) == idset
    assert IdSet.decode(idset.encode(brackets=True)) == idset
    assert IdSet.from_mask(idset.mask()) == idset
    assert idset.mask() == sum(1 << i for i in ids)
    assert all(b[0] > a[1] + 1 for a, b in zip(idset.ranges, idset.ranges[1:], strict=False))


@pytest.mark.parametrize(
    ("ours", "model"),
    [
        (IdSet.__or__, set.__or__),
        (IdSet.__and__, set.__and__),
        (IdSet.__sub__, set.__sub__),
    ],
)
@given(sets, sets)
def test_the_algebra_is_that_of_sets(
    ours: Callable[[IdSet, IdSet], IdSet],
    model: Callable[[set[int], set[int]], set[int]],
    a: set[int],
    b: set[int],
) -> None:
    result = ours(IdSet(a), IdSet(b))
    assert result == IdSet(model(a, b))
    assert hash(result) == hash(IdSet(model(a, b)))


@given(sets, sets)
def test_subsets(a: set[int], b: set[int]) -> None:
    assert (IdSet(a) <= IdSet(b)) == (a <= b)


@given(st.text("0123-,[] x", max_size=12))
def test_any_text_is_a_set_or_an_error(text: str) -> None:
    try:
        idset = IdSet.decode(text)
    except ValueError:
        return
    assert IdSet.decode(str(idset)) == idset
