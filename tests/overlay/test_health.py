"""The status of a subtree (CONTRACTS B7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.overlay.health import Status, subtree_status

FULL, PARTIAL, DEGRADED = Status.FULL, Status.PARTIAL, Status.DEGRADED
LOST, OFFLINE = Status.LOST, Status.OFFLINE


@pytest.mark.parametrize(
    ("children", "status"),
    [
        ([], FULL),
        ([FULL, FULL], FULL),
        ([FULL, PARTIAL], PARTIAL),
        ([FULL, OFFLINE], PARTIAL),
        ([OFFLINE, OFFLINE], PARTIAL),
        ([FULL, DEGRADED], DEGRADED),
        ([PARTIAL, LOST], DEGRADED),
        ([LOST, OFFLINE, FULL], DEGRADED),
    ],
)
def test_by_its_children(children: list[Status], status: Status) -> None:
    assert subtree_status(children) is status


@given(st.lists(st.sampled_from([FULL, PARTIAL, DEGRADED, LOST, OFFLINE])))
def test_the_worst_child_counts_whatever_the_order(children: list[Status]) -> None:
    status = subtree_status(children)
    assert status is subtree_status(reversed(children))
    assert status.online
    if {LOST, DEGRADED} & set(children):
        assert status is DEGRADED
    elif {PARTIAL, OFFLINE} & set(children):
        assert status is PARTIAL
    else:
        assert status is FULL


def test_words_and_numbers() -> None:
    assert [(status.value, status.label) for status in Status] == [
        (0, "unknown"),
        (1, "full"),
        (2, "partial"),
        (3, "degraded"),
        (4, "lost"),
        (5, "offline"),
    ]
    assert [status for status in Status if status.online] == [FULL, PARTIAL, DEGRADED]
