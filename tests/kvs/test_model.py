"""Transactions and lookups against a model: nested dictionaries changed in place."""

import copy
import errno
import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fluxcore.kvs import ops, treeobj
from fluxcore.kvs.key import join, normalize
from fluxcore.kvs.lookup import READDIR, READLINK, TREEOBJ

NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.lists(NAMES, min_size=1, max_size=4).map(".".join)
VALUES = st.binary(max_size=4) | st.binary(min_size=52, max_size=58)
OPS = st.one_of(
    st.builds(ops.put, KEYS, VALUES),
    st.builds(ops.append, KEYS, VALUES),
    st.builds(ops.unlink, KEYS),
    st.builds(ops.mkdir, KEYS),
    st.builds(ops.symlink, KEYS, KEYS | st.just(".")),
)

Link = tuple[str]
Node = bytes | dict[str, Any] | Link
Tree = dict[str, Node]


class Failure(Exception):
    """What the model fails with, an errno."""


def apply_to_model(tree: Tree, op: ops.Op) -> None:
    key, follows = op["key"], 0
    while True:
        here = tree
        *path, last = key.split(".")
        for at, name in enumerate(path):
            node = here.get(name)
            if isinstance(node, tuple):
                key = normalize(".".join((node[0], *path[at + 1 :], last)))
                break
            if not isinstance(node, dict):
                if op["dirent"] is None:
                    return
                node = here[name] = {}
            here = node
        else:
            set_in_model(here, last, op)
            return
        follows += 1
        if follows > 40:
            raise Failure(errno.ELOOP)


def set_in_model(here: Tree, name: str, op: ops.Op) -> None:
    dirent = op["dirent"]
    old = here.get(name)
    if dirent is None:
        here.pop(name, None)
    elif dirent["type"] == "dir":
        here[name] = {}
    elif dirent["type"] == "symlink":
        here[name] = (dirent["data"]["target"],)
    elif not op["flags"] or old is None:
        here[name] = treeobj.val_bytes(dirent)
    elif isinstance(old, bytes):
        here[name] = old + treeobj.val_bytes(dirent)
    else:
        raise Failure(errno.EISDIR if isinstance(old, dict) else errno.EOPNOTSUPP)


def find_in_model(tree: Tree, key: str, *, follow_last: bool = True, depth: int = 0) -> Node | None:
    here: Node = tree
    names = key.split(".")
    for at, name in enumerate(names):
        if not isinstance(here, dict) or name not in here:
            return None
        node = here[name]
        if isinstance(node, tuple) and (follow_last or at + 1 < len(names)):
            if depth == 10:
                raise Failure(errno.ELOOP)
            if node[0] == ".":
                node = tree
            else:
                found = find_in_model(tree, node[0], depth=depth + 1)
                if found is None:
                    return None
                node = found
        here = node
    return here


class KvsAgainstModel(RuleBasedStateMachine):
    make_store: Any

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make_store()
        self.cold = self.make_store(limit=0)
        self.tree: Tree = {}

    @rule(todo=st.lists(OPS, max_size=6), cut=st.integers(0, 6))
    def commit(self, todo: list[ops.Op], cut: int) -> None:
        tree = copy.deepcopy(self.tree)
        failure = 0
        try:
            for op in todo:
                apply_to_model(tree, op)
        except Failure as exc:
            failure = exc.args[0]
        for store in (self.store, self.cold):
            self.commit_to(store, todo, cut if store is self.cold else 0, failure)
        if not failure:
            self.tree = tree

    def commit_to(self, store: Any, todo: list[ops.Op], cut: int, failure: int) -> None:
        """In one commit, or in two that come to the same."""
        before = store.root
        errnum = 0
        try:
            keys = store.commit(*todo[:cut]).keys + store.commit(*todo[cut:]).keys
        except OSError as exc:
            errnum = exc.errno or -1
            store.root = before
        else:
            assert set(keys) == {op["key"] for op in todo}
        assert errnum == failure

    @rule(key=KEYS, flags=st.sampled_from([0, READDIR, READLINK, TREEOBJ]))
    def lookup(self, key: str, flags: int) -> None:
        expected: object
        try:
            follow = not flags & (READLINK | TREEOBJ)
            node = find_in_model(self.tree, key, follow_last=follow)
            expected = describe(node, flags)
        except Failure as exc:
            expected = exc.args[0]
        for store in (self.store, self.cold):
            try:
                text = store.lookup(key, flags)
                found = None if text is None else seen(json.loads(text), flags)
            except OSError as exc:
                found = exc.errno
            assert found == expected

    @invariant()
    def both_stores_have_the_same_root(self) -> None:
        assert self.store.root == self.cold.root

    @invariant()
    def the_tree_is_the_models(self) -> None:
        assert self.read(".") == self.tree
        self.store.cache.validate_state()
        assert self.cold.cache.size == 0

    def read(self, key: str) -> Node:
        obj = json.loads(self.store.lookup(key, TREEOBJ))
        if obj["type"] == "symlink":
            return (obj["data"]["target"],)
        if obj["type"] != "dirref":
            return treeobj.val_bytes(json.loads(self.store.lookup(key)))
        names = json.loads(self.store.lookup(key, READDIR))["data"]
        return {name: self.read(join(key, name)) for name in names}


def describe(node: Node | None, flags: int) -> object:
    """What a lookup with ``flags`` should show of ``node``."""
    if node is None:
        return None
    kind = {bytes: "val", dict: "dir", tuple: "symlink"}[type(node)]
    if flags == TREEOBJ:
        return kind
    if flags == READLINK:
        return node if kind == "symlink" else errno.EINVAL
    if flags == READDIR:
        return sorted(node) if isinstance(node, dict) else errno.ENOTDIR
    return errno.EISDIR if kind == "dir" else node


def seen(obj: treeobj.Treeobj, flags: int) -> object:
    """What a lookup's answer shows, in the terms of :func:`describe`."""
    kind = obj["type"]
    if flags == TREEOBJ:
        return kind.removesuffix("ref")
    if kind == "symlink":
        return (obj["data"]["target"],)
    return sorted(obj["data"]) if kind == "dir" else treeobj.val_bytes(obj)


@pytest.mark.slow
def test_kvs_against_model(new_store: Any) -> None:
    machine = type("Machine", (KvsAgainstModel,), {"make_store": staticmethod(new_store)})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=120, stateful_step_count=20, deadline=None),
    )
