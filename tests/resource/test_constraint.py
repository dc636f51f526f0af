"""RFC 31 constraints: what is refused, and which ranks match, against a plain evaluation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.resource.constraint import ConstraintError, Inventory, check
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

RANKS = IdSet.decode("0-3,7")
HOSTS = Hostlist.decode("n[0-2],n2,x")
PROPERTIES = {"fast": IdSet.decode("0-1,9"), "gpu": IdSet.decode("1,7")}


@pytest.mark.parametrize(
    ("constraint", "text", "path"),
    [
        (1, "constraints must be a mapping", ()),
        ({"foo": []}, "unknown constraint operator 'foo'", ("foo",)),
        ({"and": 1}, "argument to constraint and must be a sequence", ("and",)),
        ({"and": [1]}, "constraints must be a mapping", ("and", 0)),
        ({"or": [{}, {"x": []}]}, "unknown constraint operator 'x'", ("or", 1, "x")),
        ({"properties": [1]}, "values of constraint properties must be strings", ("properties", 0)),
        ({"properties": ["a", "b|c"]}, "invalid character in property 'b|c'", ("properties", 1)),
        ({"ranks": ["x"]}, "error parsing range 'x'", ("ranks", 0)),
        ({"hostlist": ["x["]}, "invalid hostlist 'x['", ("hostlist", 0)),
    ],
)
def test_what_is_refused(constraint: object, text: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(ConstraintError) as caught:
        check(constraint)
    assert str(caught.value) == text
    assert caught.value.path == path


def test_depth_has_an_end() -> None:
    constraint: dict[str, Any] = {}
    for _ in range(5000):
        constraint = {"not": [constraint]}
    with pytest.raises(ConstraintError, match="nested too deeply"):
        check(constraint)


@pytest.mark.parametrize(
    ("constraint", "ranks"),
    [
        ({}, "0-3,7"),
        ({"and": []}, "0-3,7"),
        ({"or": []}, "0-3,7"),
        ({"not": []}, ""),
        ({"properties": ["fast"]}, "0-1"),
        ({"properties": ["fast", "gpu"]}, "1"),
        ({"properties": ["fast", "^gpu"]}, "0"),
        ({"properties": ["nosuch"]}, ""),
        ({"properties": ["^nosuch"]}, "0-3,7"),
        ({"hostlist": ["n[1-2]", "x,y"]}, "1-3,7"),
        ({"hostlist": []}, ""),
        ({"ranks": ["0-1", "7-9"]}, "0-1,7"),
        ({"not": [{"ranks": ["0-2"]}]}, "3,7"),
        ({"or": [{"ranks": ["0"]}, {"hostlist": ["x"]}]}, "0,7"),
        ({"ranks": ["0-2"], "properties": ["gpu"]}, "1"),
    ],
)
def test_which_ranks_match(constraint: dict[str, Any], ranks: str) -> None:
    check(constraint)
    assert str(Inventory(RANKS, HOSTS, PROPERTIES).matching(constraint)) == ranks


leaves = st.one_of(
    st.fixed_dictionaries(
        {"properties": st.lists(st.sampled_from(["fast", "^fast", "gpu", "no"]), max_size=2)}
    ),
    st.fixed_dictionaries(
        {"hostlist": st.lists(st.sampled_from(["n[0-1]", "n2", "x"]), max_size=2)}
    ),
    st.fixed_dictionaries({"ranks": st.lists(st.sampled_from(["0", "1-2", "7-8"]), max_size=2)}),
)
constraints: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        *(
            st.fixed_dictionaries({name: st.lists(inner, max_size=3)})
            for name in ("and", "or", "not")
        )
    ),
    max_leaves=6,
)


def holds(constraint: dict[str, Any], rank: int, host: str) -> bool:
    """What RFC 31 says of one rank, value by value."""
    for operator, values in constraint.items():
        if operator == "and":
            result = all(holds(value, rank, host) for value in values)
        elif operator == "or":
            result = not values or any(holds(value, rank, host) for value in values)
        elif operator == "not":
            result = not all(holds(value, rank, host) for value in values)
        elif operator == "properties":
            result = all(
                (rank in PROPERTIES.get(value.lstrip("^"), ())) != value.startswith("^")
                for value in values
            )
        elif operator == "hostlist":
            result = any(host in Hostlist.decode(value) for value in values)
        else:
            result = any(rank in IdSet.decode(value) for value in values)
        if not result:
            return False
    return True


@given(constraints)
def test_matching_is_what_holds_for_each_rank(constraint: dict[str, Any]) -> None:
    check(constraint)
    expected = [r for r, host in zip(RANKS, HOSTS, strict=True) if holds(constraint, r, host)]
    assert list(Inventory(RANKS, HOSTS, PROPERTIES).matching(constraint)) == expected
