import errno

import pytest

from fluxcore.kvs import ops
from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.treeobj import make_dir, make_dirref, make_symlink, make_val, make_valref

REF = blobref(b"x")


def test_operations_as_they_travel() -> None:
    assert ops.put("a", b"42") == {
        "key": "a",
        "flags": 0,
        "dirent": {"ver": 1, "type": "val", "data": "NDI="},
    }
    assert ops.append("a", b"more")["flags"] == 32
    assert ops.mkdir("d")["dirent"] == {"ver": 1, "type": "dir", "data": {}}
    assert ops.symlink("l", "d")["dirent"]["data"] == {"target": "d"}
    assert ops.symlink("l", "d", "n")["dirent"]["data"] == {"target": "d", "namespace": "n"}
    assert ops.unlink("a") == {"key": "a", "flags": 0, "dirent": None}


@pytest.mark.parametrize(
    "op",
    [
        None,
        [],
        {},
        {"key": "a", "flags": 0},
        {"key": "a", "dirent": None},
        {"key": "a", "flags": 0, "dirent": None, "more": 1},
        {"key": 1, "flags": 0, "dirent": None},
        {"key": "a", "flags": "0", "dirent": None},
        {"key": "a", "flags": True, "dirent": None},
        {"key": "a\0b", "flags": 0, "dirent": None},
    ],
)
def test_what_is_no_operation(op: object) -> None:
    with pytest.raises(OSError) as caught:
        ops.decode_op(op)
    assert caught.value.errno == errno.EPROTO


def test_a_guest_may_set_append_unlink_and_make_directories() -> None:
    ops.authorize_guest(
        [ops.put("a", b"1"), ops.append("a", b"2"), ops.unlink("a"), ops.mkdir("d")]
    )


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (make_dirref(REF), "guests may not commit dirref objects"),
        (make_valref([REF]), "guests may not commit valref objects"),
        (make_symlink("a"), "guests may not commit symlink objects"),
        (make_dir({"a": make_val(b"")}), "guests may not commit non-empty dir objects"),
        ({"ver": 1}, "guests may not commit ??? objects"),
        ("val", "guests may not commit ??? objects"),
    ],
)
def test_what_a_guest_may_not_commit(obj: object, text: str) -> None:
    with pytest.raises(PermissionError) as caught:
        ops.authorize_guest([ops.put("a", b"1"), {"key": "b", "flags": 0, "dirent": obj}])
    assert caught.value.strerror == text


def test_a_guests_broken_operation() -> None:
    with pytest.raises(OSError) as caught:
        ops.authorize_guest([{"key": "a"}])
    assert caught.value.errno == errno.EPROTO
    assert caught.value.strerror == "could not decode commit operation"


def test_compacting_makes_one_append_of_many() -> None:
    todo = [
        ops.append("a", b"1"),
        ops.put("b", b"x"),
        ops.append("a", b"2"),
        ops.append("c", b"y"),
        ops.append("a", b"3"),
        ops.put("b", b"z"),
    ]
    assert ops.compact(todo) == [
        ops.append("a", b"123"),
        ops.put("b", b"x"),
        ops.append("c", b"y"),
        ops.put("b", b"z"),
    ]


@pytest.mark.parametrize(
    "todo",
    [
        [ops.append("a", b"1"), ops.put("a", b"2")],
        [ops.append("a", b"1"), ops.unlink("a")],
        [ops.append("a", b"1"), {"key": "a", "flags": 32, "dirent": None}],
    ],
)
def test_what_cannot_be_compacted(todo: list[ops.Op]) -> None:
    with pytest.raises(OSError) as caught:
        ops.compact(todo)
    assert caught.value.errno == errno.EINVAL
