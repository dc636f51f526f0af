import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs.ops import NO_MERGE, SYNC
from fluxcore.kvs.queue import Commit, CommitQueue


def filled(*flags: int, publish: bool = True) -> CommitQueue:
    queue = CommitQueue()
    for n, each in enumerate(flags):
        queue.add(Commit([f"t{n}"], [f"op{n}a", f"op{n}b"], each, publish))
    return queue


def test_what_is_ready_is_merged_in_order() -> None:
    queue = filled(0, 0, 0)
    commit = queue.start()
    assert commit is not None
    assert commit.names == ["t0", "t1", "t2"]
    assert commit.ops == ["op0a", "op0b", "op1a", "op1b", "op2a", "op2b"]
    assert queue.start() is None
    assert len(queue) == 1
    queue.done()
    assert queue.start() is None
    assert not queue


@pytest.mark.parametrize("alone", [NO_MERGE, SYNC, NO_MERGE | SYNC])
def test_what_may_not_be_merged_runs_alone_and_nothing_passes_it(alone: int) -> None:
    queue = filled(0, 0, alone, 0, alone, alone)
    runs = []
    while (commit := queue.start()) is not None:
        runs.append(commit.names)
        queue.done()
    assert runs == [["t0", "t1"], ["t2"], ["t3"], ["t4"], ["t5"]]


def test_only_commits_of_the_same_kind_are_merged() -> None:
    queue = filled(0, 8)
    queue.add(Commit(["quiet"], [], 8, publish=False))
    runs = []
    while (commit := queue.start()) is not None:
        runs.append(commit.names)
        queue.done()
    assert runs == [["t0"], ["t1"], ["quiet"]]


def test_merging_can_be_turned_off() -> None:
    queue = filled(0, 0)
    queue.merging = False
    commit = queue.start()
    assert commit is not None
    assert commit.names == ["t0"]


def test_a_merged_commit_that_fails_is_run_part_by_part() -> None:
    queue = filled(0, 0)
    queue.start()
    queue.add(Commit(["t2"], []))
    assert queue.failed(errno.EISDIR) == []
    runs = []
    while (commit := queue.start()) is not None:
        runs.append(commit.names)
        if commit.names == ["t0"]:
            assert queue.failed(errno.EISDIR) == ["t0"]
        else:
            queue.done()
    assert runs == [["t0"], ["t1"], ["t2"]]


@pytest.mark.parametrize("errnum", [errno.ENOMEM, errno.ENOTSUP])
def test_a_failure_that_each_part_would_share_is_final(errnum: int) -> None:
    queue = filled(0, 0)
    queue.start()
    assert queue.failed(errnum) == ["t0", "t1"]
    assert queue.start() is None


def test_what_waits_can_be_dropped() -> None:
    queue = filled(NO_MERGE, 0, 0)
    queue.start()
    assert queue.drop() == ["t1", "t2"]
    assert len(queue) == 1


@given(st.lists(st.tuples(st.sampled_from([0, 0, NO_MERGE, SYNC]), st.booleans()), max_size=12))
def test_every_commit_runs_in_its_order_and_fails_alone(plan: list[tuple[int, bool]]) -> None:
    queue = filled(*(flags for flags, _ in plan))
    bad = {f"t{n}" for n, (_, fails) in enumerate(plan) if fails}
    done: list[str] = []
    failed: list[str] = []
    order: list[str] = []
    while (commit := queue.start()) is not None:
        assert len(set(commit.names)) == len(commit.names)
        if bad & set(commit.names):
            names = queue.failed(errno.EINVAL)
            failed += names
            order += names
        else:
            queue.done()
            done += commit.names
            order += commit.names
    assert set(failed) == bad
    assert order == [f"t{n}" for n in range(len(plan))]
