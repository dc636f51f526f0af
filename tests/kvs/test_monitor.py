import errno
import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fluxcore.kvs import ops, watch
from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.monitor import Actions, Monitor
from fluxcore.kvs.treeobj import make_val, val_bytes
from fluxcore.kvs.watch import End, Load, LookUp, Root, Tell, Watcher


def root(seq: int, *keys: str) -> Root:
    return Root(blobref(b"root %d" % seq), seq, frozenset(keys))


def watchers(actions: Actions, kind: type) -> list[Watcher]:
    return [watcher for watcher, action in actions if isinstance(action, kind)]


def ends(actions: Actions) -> list[tuple[Watcher, int]]:
    return [(watcher, action.errnum) for watcher, action in actions if isinstance(action, End)]


def begun(*all_of_them: Watcher) -> Monitor:
    """A monitor whose watchers have looked at root 1 and wait."""
    monitor = Monitor("n")
    monitor.got_root(root(1), 100)
    for watcher in all_of_them:
        for _, action in monitor.add(watcher):
            assert isinstance(action, LookUp)
            answer = {"val": make_val(b"1"), "rootseq": 1, "rootref": root(1).rootref}
            monitor.looked_up(watcher, action.slot, answer)
    return monitor


def test_watchers_begin_when_the_root_is_known() -> None:
    monitor = Monitor("n")
    early, late = Watcher("a", watch.WATCH), Watcher("a", watch.WATCH)
    assert monitor.add(early) == []
    assert watchers(monitor.got_root(root(1), 100), LookUp) == [early]
    assert watchers(monitor.add(late), LookUp) == [late]
    assert monitor.got_root(root(2), 100) == []


def test_a_commit_that_comes_before_the_root_is_one() -> None:
    monitor = Monitor("n")
    watcher = Watcher("a", watch.WATCH)
    monitor.add(watcher)
    assert watchers(monitor.set_root(root(5, "b"), 100), LookUp) == [watcher]
    assert monitor.got_root(root(4), 100) == []
    assert monitor.no_root(errno.ENOTSUP) == []
    assert (monitor.owner, monitor.root) == (100, root(5, "b"))


def test_a_commit_concerns_the_watchers_of_its_keys() -> None:
    a, b, full = Watcher("x..a", watch.WATCH), Watcher("b", watch.WATCH), Watcher("c", 4 | 64)
    monitor = begun(a, b, full)
    assert watchers(monitor.set_root(root(2, "x.a", "z"), 100), LookUp) == [full, a]
    assert watchers(monitor.set_root(root(3, "z"), 100), LookUp) == [full]
    assert monitor.set_root(root(3, "x.a", "b"), 100) == []


def test_a_namespace_is_watched_by_its_owner_and_the_instances() -> None:
    monitor = Monitor("n")
    mine, root_user = Watcher("a", watch.WATCH, userid=100), Watcher("a", watch.WATCH)
    other = Watcher("a", watch.WATCH, userid=101)
    for watcher in (mine, other, root_user):
        monitor.add(watcher)
    actions = monitor.got_root(root(1), 100)
    assert watchers(actions, LookUp) == [mine, root_user]
    assert ends(actions) == [(other, errno.EPERM)]
    assert len(monitor) == 2


def test_an_unknown_namespace_is_an_error_unless_it_is_waited_for() -> None:
    monitor = Monitor("n")
    waits, does_not = Watcher("a", watch.WATCH | watch.WAITCREATE), Watcher("a", watch.WATCH)
    for watcher in (waits, does_not):
        monitor.add(watcher)
    assert ends(monitor.no_root(errno.ENOTSUP)) == [(does_not, errno.ENOTSUP)]
    later = Watcher("a", watch.WATCH)
    assert ends(monitor.add(later)) == [(later, errno.ENOTSUP)]
    assert watchers(monitor.got_root(root(0), 100), LookUp) == [waits]


def test_another_failure_of_the_root_ends_all() -> None:
    monitor = Monitor("n")
    watcher = Watcher("a", watch.WATCH | watch.WAITCREATE)
    monitor.add(watcher)
    assert ends(monitor.no_root(errno.EHOSTUNREACH)) == [(watcher, errno.EHOSTUNREACH)]
    assert not monitor


def test_the_end_of_the_namespace_is_the_end_of_all() -> None:
    a, full = Watcher("a", watch.WATCH), Watcher("b", 4 | 64 | watch.WAITCREATE)
    monitor = begun(a, full)
    assert ends(monitor.removed()) == [(a, errno.ENOTSUP), (full, errno.ENOTSUP)]
    assert not monitor
    monitor.validate_state()


def test_cancelled_and_gone() -> None:
    a, b = Watcher("a", watch.WATCH), Watcher("a", watch.WATCH)
    monitor = begun(a, b)
    assert ends(monitor.cancel(a)) == [(a, errno.ENODATA)]
    monitor.drop(b)
    assert monitor.set_root(root(2, "a"), 100) == []
    assert not monitor


# -- a whole namespace, with everything answered late and out of turn ------------------------

KEYS = st.sampled_from(["a", "b", "d.a"])
FLAGS = st.sampled_from([0, watch.WATCH_FULL, watch.WATCH_UNIQ, watch.WATCH_APPEND])


class NamespaceWithWatchers(RuleBasedStateMachine):
    make_store: Any

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make_store()
        self.monitor = Monitor("primary")
        self.seq = 0
        self.roots = {0: self.store.root}
        self.monitor.got_root(Root(self.store.root, 0), 0)
        self.waiting: list[tuple[Watcher, LookUp | Load]] = []
        self.told: dict[Watcher, list[bytes]] = {}
        self.values: dict[str, list[bytes]] = {}
        self.since: dict[Watcher, int] = {}

    def take(self, actions: Actions) -> None:
        for watcher, action in actions:
            match action:
                case Tell(val):
                    assert val is not None
                    self.told[watcher].append(val_bytes(val))
                case LookUp() | Load():
                    self.waiting.append((watcher, action))
                case End(errnum):
                    raise AssertionError(f"ended with {errnum}")

    @rule(key=KEYS, flags=FLAGS)
    def watch(self, key: str, flags: int) -> None:
        watcher = Watcher(key, watch.WATCH | watch.WAITCREATE | flags)
        self.told[watcher] = []
        self.since[watcher] = len(self.values.get(key, ()))
        self.take(self.monitor.add(watcher))

    @rule(todo=st.lists(st.tuples(KEYS, st.binary(max_size=2)), min_size=1, max_size=3))
    def commit(self, todo: list[tuple[str, bytes]]) -> None:
        applied = self.store.commit(*(ops.append(key, b"<%b>" % value) for key, value in todo))
        self.seq += 1
        self.roots[self.seq] = applied.rootref
        for key in dict(todo):
            values = self.values.setdefault(key, [])
            last = values[-1] if values else b""
            values.append(last + b"".join(b"<%b>" % v for k, v in todo if k == key))
        self.take(self.monitor.set_root(Root(applied.rootref, self.seq, frozenset(dict(todo))), 0))

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 20))
    def answer(self, pick: int) -> None:
        watcher, action = self.waiting.pop(pick % len(self.waiting))
        if isinstance(action, Load):
            blob = self.store.blobs[action.ref]
            self.take(self.monitor.loaded(watcher, action.slot, blob))
            return
        seq = action.root.rootseq if action.root else self.seq
        text = self.store.lookup(action.key, action.flags, rootref=self.roots[seq])
        answer: dict[str, Any] = {"rootseq": seq, "rootref": self.roots[seq]}
        answer |= {"errno": errno.ENOENT} if text is None else {"val": json.loads(text)}
        self.take(self.monitor.looked_up(watcher, action.slot, answer))

    @invariant()
    def indexes_agree(self) -> None:
        self.monitor.validate_state()

    def teardown(self) -> None:
        while self.waiting:
            self.answer(0)
        for watcher, told in self.told.items():
            values = self.values.get(watcher.key, [])
            if watcher.flags & watch.WATCH_APPEND:
                assert b"".join(told) == (values[-1] if values else b"")
            else:
                assert told == values[len(values) - len(told) :]
                assert len(told) >= min(len(values) - self.since[watcher], 1)


@pytest.mark.slow
def test_watchers_are_told_of_every_change_in_order(new_store: Any) -> None:
    machine = type("M", (NamespaceWithWatchers,), {"make_store": staticmethod(new_store)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
    )
