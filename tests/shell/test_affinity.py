"""Binding tasks to processors."""

import pytest

from fluxcore.resource.idset import IdSet
from fluxcore.shell.affinity import bind
from fluxcore.shell.errors import ShellError

HAVE = [frozenset([0, 4]), frozenset([1, 5]), frozenset([2, 6]), frozenset([3, 7])]


def ids(text: str) -> IdSet:
    return IdSet.decode(text)


def test_tasks_share_the_cores_of_their_job() -> None:
    assert bind("on", ids("1-2"), 2, HAVE) == [frozenset([1, 5, 2, 6])] * 2
    assert bind("verbose", ids("1"), 1, HAVE) == [frozenset([1, 5])]


def test_tasks_may_have_cores_of_their_own() -> None:
    assert bind("per-task", ids("0-3"), 2, HAVE) == [
        frozenset([0, 4, 1, 5]),
        frozenset([2, 6, 3, 7]),
    ]
    assert bind("per-task", ids("0-1"), 4, HAVE) == [HAVE[0], HAVE[0], HAVE[1], HAVE[1]]


def test_tasks_may_be_told_their_processors() -> None:
    assert bind("map:0-1;7", ids("0"), 3, HAVE) == [
        frozenset([0, 1]),
        frozenset([7]),
        frozenset([0, 1]),
    ]
    assert bind("map:0x6", ids("0"), 1, HAVE) == [frozenset([1, 2])]


@pytest.mark.parametrize("text", ["", "x", "0x", ";", "0-2147483647", "8192"])
def test_a_list_must_have_processors(text: str) -> None:
    with pytest.raises(ShellError) as caught:
        bind(f"map:{text}", ids("0"), 1, HAVE)
    assert "contains no cores or is invalid" in caught.value.complaints[0].message


@pytest.mark.parametrize("option", ["off", "dry-run"])
def test_tasks_need_not_be_bound(option: str) -> None:
    assert bind(option, ids("0"), 2, HAVE) == [None, None]


def test_cores_that_are_not_here_bind_nobody() -> None:
    assert bind("on", ids("7"), 1, HAVE) == [None]
    assert bind("on", ids("0"), 1, []) == [None]
