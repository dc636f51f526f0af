"""What flux-core 0.88 answered to the same commits and lookups, in a fresh namespace.

``recorded.json`` holds ``[ops, [rootref, rootseq] or [errno]]`` for each commit in order, then
``[key, flags, treeobj or errno]`` for each lookup in the root they led to.
"""

import json
from pathlib import Path
from typing import Any

import pytest

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())


def test_every_commit_has_the_same_root_or_fails_the_same_way(store: Any) -> None:
    store.roots.create("v", 0, 0, store.root)
    for ops, result in RECORDED["commits"]:
        before = store.root
        try:
            store.commit(*ops, namespace="v")
        except OSError as exc:
            outcome = [exc.errno, before]
        else:
            outcome = [0, store.root]
        assert outcome == ([0, result[0]] if len(result) == 2 else [result[0], store.root]), ops


@pytest.fixture
def final(store: Any) -> Any:
    store.roots.create("v", 0, 0, store.root)
    for ops, result in RECORDED["commits"]:
        if len(result) == 2:
            store.commit(*ops, namespace="v")
    store.roots.get("v").rootref = store.root
    return store


@pytest.mark.parametrize("cold", [False, True], ids=["cached", "loaded"])
def test_every_lookup_finds_the_same(final: Any, cold: bool) -> None:
    for key, flags, result in RECORDED["lookups"]:
        if cold:
            final.cache.trim(0)
        try:
            text = final.lookup(key, flags, namespace=final.roots.get("v"))
        except OSError as exc:
            found: object = exc.errno
        else:
            found = 2 if text is None else json.loads(text)
        assert found == result, (key, flags)
