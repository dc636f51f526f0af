import errno
import json
from typing import Any

import pytest

from fluxcore.kvs import ops, treeobj
from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.lookup import READDIR, lookup
from fluxcore.kvs.machine import NeedBlobs, NeedRoot

LARGE = b"x" * 55


def value(text: bytes | None) -> bytes:
    assert text is not None
    return treeobj.val_bytes(json.loads(text))


def fails(errnum: int, machine: Any) -> None:
    with pytest.raises(OSError) as caught:
        next(machine)
    assert caught.value.errno == errnum


def test_all_pieces_of_a_value_are_asked_for_at_once(store: Any) -> None:
    for n in range(5):
        store.commit(ops.append("log", b"%d%b\n" % (n, LARGE)))
    store.commit(ops.append("log", b"0%b\n" % LARGE))
    store.cache.trim(0)
    store.loads.clear()
    expected = b"".join(b"%d%b\n" % (n, LARGE) for n in (0, 1, 2, 3, 4, 0))
    assert value(store.lookup("log")) == expected
    assert [len(refs) for refs in store.loads] == [1, 5]


def test_a_lookup_ends_with_a_cache_that_keeps_nothing(new_store: Any) -> None:
    store = new_store(limit=0)
    for n in range(5):
        store.commit(ops.append("a.b.log", LARGE + b"%d" % n))
    assert value(store.lookup("a.b.log")) == b"".join(LARGE + b"%d" % n for n in range(5))


def test_an_older_root_still_shows_what_was_there(store: Any) -> None:
    store.commit(ops.put("d.a", b"old"))
    old = store.root
    store.commit(ops.put("d.a", b"new"), ops.unlink("d.b"))
    assert value(store.lookup("d.a", rootref=old)) == b"old"
    assert value(store.lookup("d.a")) == b"new"


@pytest.mark.parametrize(("links", "found"), [(10, True), (11, False)])
def test_ten_symlinks_within_each_other_are_followed(store: Any, links: int, found: bool) -> None:
    store.commit(*(ops.symlink(f"l{n}", f"l{n + 1}") for n in range(links)))
    store.commit(ops.put(f"l{links}", b"end"))
    if found:
        assert value(store.lookup("l0")) == b"end"
    else:
        with pytest.raises(OSError) as caught:
            store.lookup("l0")
        assert caught.value.errno == errno.ELOOP


def test_symlinks_side_by_side_do_not_add_up(store: Any) -> None:
    store.commit(*(ops.symlink(f"a{'.a' * n}", ".") for n in range(1)), ops.put("v", b"1"))
    assert value(store.lookup("a." * 30 + "v")) == b"1"


@pytest.mark.parametrize("flags", [2, 16], ids=["readlink", "treeobj"])
def test_only_the_last_name_of_the_key_is_not_followed(store: Any, flags: int) -> None:
    """flux-core stops at a link to a link on the way and fails with ENOTRECOVERABLE."""
    store.commit(ops.symlink("d.l", "x"), ops.symlink("m", "d"), ops.symlink("ll", "m"))
    assert json.loads(store.lookup("ll.l", flags)) == treeobj.make_symlink("x")


# -- namespaces ----------------------------------------------------------------------------


@pytest.fixture
def two(store: Any) -> Any:
    """Namespace primary with a link into namespace other, of user 100."""
    store.commit(ops.put("d.a", b"there"), ops.symlink("up", "d"))
    store.roots.create("other", 100, 0, store.root)
    store.root = blobref(b'{"data":{},"type":"dir","ver":1}')
    store.commit(
        ops.symlink("far", "d", "other"),
        ops.symlink("farup", "up", "other"),
        ops.symlink("farroot", ".", "other"),
        ops.symlink("nowhere", "d", "nosuch"),
    )
    return store


@pytest.mark.parametrize("key", ["far.a", "farup.a", "farroot.d.a"])
def test_a_symlink_leads_into_another_namespace(two: Any, key: str) -> None:
    assert value(two.lookup(key)) == b"there"
    assert value(two.lookup(key, userid=100)) == b"there"


def test_a_symlink_found_there_is_one_of_the_namespace_the_path_began_in(two: Any) -> None:
    """As in flux-core: ``up`` is looked for in primary, where there is no ``d``."""
    assert two.lookup("farroot.up.a") is None


def test_the_other_namespace_is_checked_for_who_asks(two: Any) -> None:
    with pytest.raises(PermissionError):
        two.lookup("far.a", userid=101)


def test_a_namespace_that_is_not_known_here_is_asked_for(two: Any) -> None:
    machine = lookup(two.cache, two.roots, "nowhere.a", 0, rootref=two.root)
    assert next(machine) == NeedRoot("nosuch")
    two.roots.create("nosuch", 0, 0, two.roots.get("other").rootref)
    with pytest.raises(StopIteration) as stop:
        machine.send({})
    assert value(stop.value.value) == b"there"


def test_a_namespace_that_is_nowhere(two: Any) -> None:
    with pytest.raises(OSError) as caught:
        two.lookup("nowhere.a")
    assert caught.value.errno == errno.ENOTSUP


def test_a_namespace_removed_while_the_lookup_waits(two: Any) -> None:
    namespace = two.roots.create("mine", 7, 0, two.root)
    two.cache.trim(0)
    machine = lookup(two.cache, two.roots, "far", READDIR, rootref=two.root, namespace=namespace)
    assert next(machine) == NeedBlobs((two.root,))
    two.roots.remove("mine")
    with pytest.raises(OSError) as caught:
        machine.send({two.root: two.blobs[two.root]})
    assert caught.value.errno == errno.ENOTSUP


# -- broken objects ------------------------------------------------------------------------


def test_a_given_root_that_is_no_directory_is_the_askers_mistake(store: Any) -> None:
    ref = blobref(b"[1]")
    store.blobs[ref] = b"[1]"
    for key in ("a", "a.b"):
        with pytest.raises(OSError) as caught:
            store.lookup(key, rootref=ref)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        store.lookup(".", READDIR, rootref=ref)
    assert caught.value.errno == errno.EINVAL
    assert json.loads(store.lookup(".", 16, rootref=ref)) == treeobj.make_dirref(ref)


def test_a_reference_on_the_way_that_is_no_directory_is_the_stores(store: Any) -> None:
    ref = blobref(b"[1]")
    store.blobs[ref] = b"[1]"
    store.commit(ops.put_treeobj("d", treeobj.make_dirref(ref)))
    for key, flags in (("d.a", 0), ("d", READDIR)):
        with pytest.raises(OSError) as caught:
            store.lookup(key, flags)
        assert caught.value.errno == errno.ENOTRECOVERABLE


def test_a_directory_inside_a_directorys_blob_is_one(store: Any) -> None:
    inner = treeobj.make_dir({"k": treeobj.make_val(b"1")})
    blob = treeobj.encode(treeobj.make_dir({"sub": inner}))
    store.blobs[blobref(blob)] = blob
    root = blobref(blob)
    assert value(store.lookup("sub.k", rootref=root)) == b"1"
    assert json.loads(store.lookup("sub", READDIR, rootref=root)) == inner
    fails(errno.EISDIR, lookup(store.cache, store.roots, "sub", 0, rootref=root))


def test_a_listing_with_a_broken_entry_is_not_given_out(store: Any) -> None:
    blob = b'{"data":{"a":{"ver":1}},"type":"dir","ver":1}'
    store.blobs[blobref(blob)] = blob
    with pytest.raises(OSError) as caught:
        store.lookup(".", READDIR, rootref=blobref(blob))
    assert caught.value.errno == errno.ENOTRECOVERABLE
