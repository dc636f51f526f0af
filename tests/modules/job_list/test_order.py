"""The order of jobs against a sorted list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.modules.job_list import order
from fluxcore.modules.job_list.order import Key, Ordered

KEYS = st.tuples(st.integers(0, 3).map(float), st.integers(0, 30))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.keywords:
        monkeypatch.setattr(order, "_BLOCK", 4)


def walk(ordered: Ordered, count: int) -> list[Key]:
    found: list[Key] = []
    while True:
        batch = ordered.batch(found[-1] if found else None, count)
        found += batch
        if len(batch) < count:
            return found


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), KEYS)), st.integers(1, 9))
def test_it_is_a_sorted_list(steps: list[tuple[bool, Key]], count: int) -> None:
    ordered, model = Ordered(), set[Key]()
    for adds, key in steps:
        if adds and key not in model:
            ordered.add(key)
            model.add(key)
        elif key in model:
            ordered.remove(key)
            model.remove(key)
        else:
            with pytest.raises(KeyError):
                ordered.remove(key)
        assert len(ordered) == len(model)
    assert list(ordered) == sorted(model)
    assert walk(ordered, count) == sorted(model)
    for key in model:
        after = [other for other in sorted(model) if other > key]
        assert ordered.batch(key, count) == after[:count]


@settings(max_examples=40)
@given(st.sets(KEYS, min_size=1), KEYS)
def test_a_walk_goes_on_behind_a_key_that_has_gone(keys: set[Key], gone: Key) -> None:
    ordered = Ordered()
    for key in keys:
        ordered.add(key)
    assert ordered.batch(gone, 100) == sorted(key for key in keys if key > gone)


class _Counted(float):
    """A number that counts how often one was compared."""

    compared = 0

    def __lt__(self, other: float) -> bool:
        _Counted.compared += 1
        return super().__lt__(other)


def test_a_change_among_very_many_costs_few_comparisons() -> None:
    ordered = Ordered()
    for number in range(20_000):
        ordered.add((_Counted(-number), -number))
    _Counted.compared = 0
    for number in range(0, 20_000, 200):
        ordered.remove((_Counted(-number), -number))
        ordered.add((_Counted(-number), -number))
    assert _Counted.compared / 200 < 40
