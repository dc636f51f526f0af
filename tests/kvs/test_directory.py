import errno
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs import ops, treeobj
from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.directory import EMPTY, EMPTY_BLOB, Directory, Draft, finish_all

NAMES = st.text(max_size=6)
VALUES = st.binary(max_size=6).map(treeobj.make_val)


def edited(directory: Directory) -> Draft:
    draft = Draft.of(directory)
    assert draft is not None
    return draft


def test_the_empty_directory_has_flux_cores_reference() -> None:
    assert treeobj.encode(treeobj.make_dir()) == EMPTY_BLOB
    assert blobref(EMPTY_BLOB) == "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
    assert EMPTY.entries() == {}
    assert EMPTY.get("a") is None


@pytest.mark.slow
@given(
    st.lists(st.tuples(NAMES, st.none() | VALUES), max_size=30),
    st.lists(st.tuples(NAMES, st.none() | VALUES), max_size=10),
)
def test_an_edited_directory_is_the_canonical_dir_of_its_entries(
    first: list[tuple[str, Any]], second: list[tuple[str, Any]]
) -> None:
    model: dict[str, Any] = {}
    directory = EMPTY
    for edits in (first, second):
        before = (directory.blob, dict(directory.entries()))
        draft = edited(directory)
        for name, obj in edits:
            if obj is None:
                model.pop(name, None)
                draft.delete(name)
            else:
                model[name] = obj
                draft.put(name, treeobj.encode(obj))
        changed = draft.finish()
        assert (directory.blob, directory.entries()) == before
        directory = changed
        assert directory.blob == treeobj.encode(treeobj.make_dir(model))
        for name in {name for name, _ in (*first, *second)}:
            assert directory.get(name) == model.get(name)
            assert Directory.decode(directory.blob).get(name) == model.get(name)


@given(st.dictionaries(NAMES, VALUES, max_size=10), NAMES, VALUES)
def test_a_loaded_directory_is_edited_as_one_that_was_made(
    entries: dict[str, Any], name: str, value: Any
) -> None:
    loaded = Directory.decode(treeobj.encode(treeobj.make_dir(entries)))
    draft = edited(loaded)
    draft.put(name, treeobj.encode(value))
    assert draft.finish().blob == treeobj.encode(treeobj.make_dir({**entries, name: value}))


def test_an_unchanged_draft_is_what_it_started_from() -> None:
    directory = Directory.decode(b'{"type":"dir", "ver":1, "data":{}}')
    draft = edited(directory)
    draft.delete("nosuch")
    assert draft.finish() is directory
    assert finish_all(draft) == []


def test_children_are_finished_before_their_parents_and_dropped_ones_not_at_all() -> None:
    root = edited(EMPTY)
    root.make("a").make("b")
    root.make("gone").make("too")
    root.put("gone", treeobj.encode(treeobj.make_val(b"1")))
    root.make("left")
    root.delete("left")
    done = finish_all(root)
    b = blobref(EMPTY_BLOB)
    a = treeobj.make_dir({"b": treeobj.make_dirref(b)})
    a_ref = blobref(treeobj.encode(a))
    assert [ref for ref, _ in done] == [b, a_ref, blobref(done[-1][1].blob)]
    assert done[-1][1].entries() == {
        "a": treeobj.make_dirref(a_ref),
        "gone": treeobj.make_val(b"1"),
    }


@pytest.mark.parametrize(
    "blob",
    [b"", b"{", b"[]", b'{"data":[],"type":"dir","ver":1}', b'{"data":"","type":"val","ver":1}'],
)
def test_what_holds_no_directory(blob: bytes) -> None:
    with pytest.raises(OSError) as caught:
        Directory.decode(blob)
    assert caught.value.errno == errno.EPROTO


def test_a_broken_entry_is_noticed_when_it_is_used() -> None:
    good = treeobj.make_val(b"1")
    blob = treeobj.encode(treeobj.make_dir({"good": good, "bad": {"ver": 1}}))
    directory = Directory.decode(blob)
    assert directory.get("good") == good
    for use in (lambda: directory.get("bad"), directory.entries, lambda: Draft.of(directory)):
        with pytest.raises(OSError) as caught:
            use()
        assert caught.value.errno == errno.ENOTRECOVERABLE


def test_many_commits_into_one_directory(store: Any) -> None:
    for n in range(300):
        store.commit(ops.put(f"k{(n * 79) % 300:03d}", b"v%d" % n))
    blob = store.lookup(".", 1)
    assert list(json.loads(blob)["data"]) == [f"k{n:03d}" for n in range(300)]
    assert store.root == f"sha1-{hashlib.sha1(blob).hexdigest()}"
