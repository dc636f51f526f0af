import errno
import json
from typing import Any

import pytest

from fluxcore.kvs import ops, treeobj
from fluxcore.kvs.blobref import blobref, hash_type
from fluxcore.kvs.directory import EMPTY_BLOB
from fluxcore.kvs.machine import NeedBlobs, ObjectCache, Stored
from fluxcore.kvs.transaction import apply

LARGE = b"x" * 55


def fails(store: Any, errnum: int, *todo: object, **kw: Any) -> None:
    before = store.root
    with pytest.raises(OSError) as caught:
        store.commit(*todo, **kw)
    assert caught.value.errno == errnum
    assert store.root == before


def test_what_is_stored_is_every_new_blob_once(store: Any) -> None:
    applied = store.commit(
        ops.put("a", LARGE), ops.put("b", LARGE), ops.put("d.e", b"1"), ops.put("f.e", b"1")
    )
    value, subdir, root = applied.stores
    assert applied.stores[value] == LARGE
    assert json.loads(applied.stores[subdir])["data"] == {"e": treeobj.make_val(b"1")}
    assert root == applied.rootref
    assert all(blobref(blob) == ref for ref, blob in applied.stores.items())


def test_a_blob_that_is_known_is_stored_again(store: Any) -> None:
    """Its store must learn that it is in use, or garbage collection takes it away."""
    first = store.commit(ops.put("a", LARGE))
    again = store.commit(ops.put("a", LARGE))
    assert again.stores == first.stores
    assert (first.known, again.known) == (0, 2)


def test_the_keys_are_normalised_and_each_is_there_once(store: Any) -> None:
    applied = store.commit(ops.put("b..c", b""), ops.unlink(".a."), ops.put("b.c", b"2"))
    assert applied.keys == ("b.c", "a")


def test_no_operations_leave_the_root_and_need_nothing() -> None:
    machine = apply(ObjectCache(), "sha1-" + "0" * 40, [])
    with pytest.raises(StopIteration) as stop:
        next(machine)
    assert stop.value.value.rootref == "sha1-" + "0" * 40
    assert stop.value.value.stores == {}


def test_what_is_not_at_hand_is_asked_for_once(store: Any) -> None:
    store.commit(ops.put("d.e.a", b"1"), ops.put("d.e.b", b"2"))
    refs = [json.loads(store.lookup(key, 16))["data"][0] for key in (".", "d", "d.e")]
    store.cache.trim(0)
    store.loads.clear()
    store.commit(ops.put("d.e.c", b"3"), ops.append("d.e.c", b"4"), ops.unlink("d.e.a"))
    assert store.loads == [(ref,) for ref in refs]
    assert json.loads(store.lookup("d.e.c"))["data"] == "MzQ="


def test_a_transaction_ends_with_a_cache_that_keeps_nothing(new_store: Any) -> None:
    small, large = new_store(limit=0), new_store()
    for n in range(20):
        for store in (small, large):
            store.commit(ops.put(f"a.b{n % 3}.c{n}", LARGE + b"%d" % n), ops.append("log", b"x"))
    assert small.root == large.root
    assert len(small.cache) == 0


def test_what_cannot_be_loaded_fails_the_transaction(store: Any) -> None:
    store.commit(ops.put_treeobj("void", treeobj.make_dirref("sha1-" + "1" * 40)))
    fails(store, errno.ENOENT, ops.put("void.a", b"1"))
    store.commit(ops.unlink("void"))


def test_a_failure_leaves_the_cache_as_it_was(store: Any) -> None:
    store.commit(ops.put("a.b", b"1"))
    before = len(store.cache)
    fails(store, errno.EISDIR, ops.put("c", LARGE), ops.append("a", b"2"))
    assert len(store.cache) == before


@pytest.mark.parametrize(
    "chain",
    [
        [("self", "self")],
        [("self", "other"), ("other", "self")],
        [("self", "self.deeper")],
        [("self", "d.up"), ("d.up", "self")],
    ],
)
def test_a_symlink_to_itself_is_an_error_and_no_crash(
    store: Any, chain: list[tuple[str, str]]
) -> None:
    store.commit(*(ops.symlink(key, target) for key, target in chain))
    fails(store, errno.ELOOP, ops.put("self.a", b"1"))
    fails(store, errno.ELOOP, ops.unlink("self.a"))
    store.commit(ops.put("self", b"the link itself can be replaced"))


def test_symlinks_one_after_the_other_are_followed(store: Any) -> None:
    links = [ops.symlink(f"l{n}", f"l{n + 1}") for n in range(40)]
    store.commit(*links, ops.put("l0.a", b"1"))
    assert json.loads(store.lookup("l40.a"))["data"] == "MQ=="
    store.commit(ops.symlink("l40", "l41"))
    fails(store, errno.ELOOP, ops.put("l0.a", b"1"))


def test_only_the_own_namespace_is_reached_through_a_symlink(store: Any) -> None:
    store.commit(ops.symlink("far", "d", "other"), ops.symlink("near", "d", "mine"))
    store.commit(ops.put("near.a", b"1"), namespace="mine")
    assert json.loads(store.lookup("d.a"))["data"] == "MQ=="
    fails(store, errno.EINVAL, ops.put("far.a", b"1"), namespace="mine")


def test_a_root_that_is_no_directory(store: Any) -> None:
    store.blobs["sha1-" + "2" * 40] = b"no directory"
    store.root = "sha1-" + "2" * 40
    fails(store, errno.ENOTRECOVERABLE, ops.put("a", b"1"))


def test_a_foreign_directory_is_stored_as_ours_once_it_changes(store: Any) -> None:
    """flux-core does so with what was committed as a reference: values and directories that
    stand inside it go into blobs of their own."""
    inner = treeobj.make_dir({"k": treeobj.make_val(b"1")})
    entries = {"big": treeobj.make_val(LARGE), "sub": inner, "small": treeobj.make_val(b"s")}
    blob = json.dumps(treeobj.make_dir(entries)).encode()
    foreign = blobref(blob)
    store.blobs[foreign] = blob
    store.commit(ops.put_treeobj("d", treeobj.make_dirref(foreign)))
    store.commit(ops.put("d.new", b"n"))
    listing = json.loads(store.lookup("d", 1))["data"]
    assert listing == {
        "big": treeobj.make_valref([blobref(LARGE)]),
        "new": treeobj.make_val(b"n"),
        "small": treeobj.make_val(b"s"),
        "sub": treeobj.make_dirref(blobref(treeobj.encode(inner))),
    }
    store.root = foreign
    store.commit(ops.put("new", b"n"))
    assert json.loads(store.lookup(".", 1))["data"] == listing


def test_a_namespace_may_hash_with_sha256() -> None:
    kind = hash_type("sha256")
    root = blobref(EMPTY_BLOB, kind)
    cache = ObjectCache()
    cache.store(root, Stored(EMPTY_BLOB))
    machine = apply(cache, root, [ops.put("d.a", LARGE)], kind=kind)
    with pytest.raises(StopIteration) as stop:
        next(machine)
    assert [ref[:7] for ref in stop.value.value.stores] == ["sha256-"] * 3


def test_a_transaction_that_is_given_up_changes_nothing(store: Any) -> None:
    machine = apply(ObjectCache(), store.root, [ops.put("a", b"1")])
    assert next(machine) == NeedBlobs((store.root,))
    machine.close()
