import errno

import pytest

from fluxcore.handle.errors import rpc_error
from fluxcore.kvs import treeobj
from fluxcore.wire.errors import PayloadError
from fluxtop.data.kvs import (
    Directories,
    Entry,
    KeyWatch,
    ListDirectory,
    Listing,
    Root,
    decode_directory,
    decode_value,
)
from fluxtop.data.kvs_model import KvsModel
from fluxtop.data.trouble import Trouble

ROOT = Listing(".", (Entry("job", "dir"), Entry("t", "value", size=3)))
JOB = Listing("job", (Entry("0000", "dir"), Entry("x", "link", target="t")))


def shown(model: KvsModel) -> list[str]:
    return [f"{'  ' * (len(row.branch) - 1)}{row.entry.name}" for row in model.rows]


def test_a_directory_is_read_when_it_is_unfolded():
    model = KvsModel()
    assert model.apply(ROOT)
    assert shown(model) == ["job", "t"]
    assert model.wanted() == {"."}
    model.turn("job", True)
    assert model.wanted() == {".", "job"}
    assert model.rows[0].loading
    model.apply(JOB)
    assert shown(model) == ["job", "  0000", "  x", "t"]
    assert model.rows[1].key == "job.0000"
    assert not model.rows[0].loading


def test_a_folded_directory_is_forgotten_with_all_below_it():
    model = KvsModel()
    model.apply(ROOT)
    model.turn("job", True)
    model.apply(JOB)
    model.turn("job.0000", True)
    model.turn("job", False)
    assert model.wanted() == {"."}
    assert shown(model) == ["job", "t"]


def test_the_same_listing_again_says_nothing():
    model = KvsModel()
    assert model.apply(ROOT)
    assert not model.apply(ROOT)


def test_a_directory_that_is_gone_says_so():
    model = KvsModel()
    model.apply(ROOT)
    model.turn("job", True)
    model.apply(Listing("job", (), Trouble(errno.ENOENT, "No such file or directory")))
    assert model.rows[0].trouble == Trouble(errno.ENOENT, "No such file or directory")


def test_a_filter_keeps_the_directories_that_lead_to_what_matches():
    model = KvsModel()
    model.apply(ROOT)
    model.turn("job", True)
    model.apply(JOB)
    model.filter("0000")
    assert shown(model) == ["job", "  0000"]
    model.filter("zz")
    assert shown(model) == []


def test_a_directory_object_gives_its_entries_by_name():
    ref = "sha1-" + "0" * 40
    obj = treeobj.make_dir(
        {
            "b": treeobj.make_val(b"hello"),
            "a": treeobj.make_dirref(ref),
            "l": treeobj.make_symlink("x.y", "ns"),
            "v": treeobj.make_valref([ref, ref]),
        }
    )
    assert decode_directory(obj) == (
        Entry("a", "dir"),
        Entry("b", "value", size=5),
        Entry("l", "link", target="ns::x.y"),
        Entry("v", "value", blobs=2),
    )


@pytest.mark.parametrize("broken", [{}, {"ver": 1, "type": "val", "data": ""}])
def test_what_is_no_directory_is_a_protocol_error(broken):
    with pytest.raises(PayloadError):
        decode_directory(broken)


def test_what_is_no_value_is_a_protocol_error():
    assert decode_value({"val": treeobj.make_val(b"x")}) == b"x"
    with pytest.raises(PayloadError):
        decode_value({"val": treeobj.make_dir()})


async def test_a_directory_is_read_by_its_key(broker):
    broker.answers["kvs.lookup"] = lambda _req: {"val": treeobj.make_dir()}
    flux = await broker.dial("")
    assert await ListDirectory("primary", "a.b").run(flux) == Listing("a.b", ())
    assert broker.requests[0].json == {"key": "a.b", "namespace": "primary", "flags": 1}


async def test_directories_are_read_anew_only_when_the_root_changes(broker, monkeypatch):
    monkeypatch.setattr("fluxtop.data.kvs.PAUSE", 0)
    roots = iter([("r1", 1), ("r1", 1), ("r2", 2)])

    def getroot(_req):
        try:
            rootref, rootseq = next(roots)
        except StopIteration:
            raise OSError(errno.ENOTSUP, "over") from None
        return {"rootref": rootref, "rootseq": rootseq}

    broker.answers["kvs.getroot"] = getroot
    broker.answers["kvs.lookup"] = lambda _req: {"val": treeobj.make_dir()}
    flux = await broker.dial("")
    got: list[object] = []
    with pytest.raises(OSError, match="over"):
        await Directories("primary", frozenset({".", "a"})).follow(flux, got.append)
    assert [message for message in got if isinstance(message, Root)] == [
        Root("r1", 1),
        Root("r2", 2),
    ]
    assert broker.topics().count("kvs.lookup") == 4


async def test_a_key_is_watched_and_waited_for(broker):
    def unknown(_req):
        raise rpc_error(errno.ENOENT)

    broker.answers["kvs.lookup"] = unknown
    flux = await broker.dial("")
    got: list[bytes | None] = []
    task = flux.loop.create_task(KeyWatch("primary", "a").follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    assert broker.streams[0].json == {"key": "a", "namespace": "primary", "flags": 12}
    broker.tell(broker.streams[0], {"val": treeobj.make_val(b"1")})
    broker.end(broker.streams[0], errno.ENOENT)
    with pytest.raises(FileNotFoundError):
        await task
    assert got == [None, b"1"]


async def test_a_key_that_is_there_is_told_by_its_value_alone(broker):
    broker.answers["kvs.lookup"] = lambda req: {"val": {"flags": req.json["flags"]}}
    flux = await broker.dial("")
    got: list[bytes | None] = []
    task = flux.loop.create_task(KeyWatch("primary", "a").follow(flux, got.append))
    await broker.until(lambda: len(broker.streams) == 1)
    assert broker.requests[0].json == {"key": "a", "namespace": "primary", "flags": 16}
    broker.tell(broker.streams[0], {"val": treeobj.make_val(b"1")})
    broker.end(broker.streams[0])
    await task
    assert got == [b"1"]
