"""Matchtags: the lowest free number, against a model (CONTRACTS A14)."""

from hypothesis import given
from hypothesis import strategies as st

from fluxcore.handle.matchtags import Matchtags


def test_they_count_from_one_and_are_used_again() -> None:
    tags = Matchtags()
    assert [tags.alloc() for _ in range(4)] == [1, 2, 3, 4]
    tags.free(3)
    tags.free(1)
    assert [tags.alloc() for _ in range(3)] == [1, 3, 5]


@given(st.lists(st.integers(0, 30)))
def test_the_lowest_free_one_is_given(steps: list[int]) -> None:
    tags, used = Matchtags(), set[int]()
    for step in steps:
        if step % 2 and used:
            tag = sorted(used)[step % len(used)]
            used.remove(tag)
            tags.free(tag)
        else:
            expected = next(n for n in range(1, 100) if n not in used)
            assert tags.alloc() == expected
            used.add(expected)
