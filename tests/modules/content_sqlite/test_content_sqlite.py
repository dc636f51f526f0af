import asyncio
import errno
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.kvs import batch
from fluxcore.kvs.blobref import blobref
from fluxcore.modules.content_sqlite import ContentSqlite
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request, response
from support.backing_store import digest
from support.refused import fails

_FULL = errno.ENOSPC


@pytest.fixture
async def it(instance: Any, tmp_path: Path) -> Any:
    """An instance of one with content and content-sqlite, its file in a statedir."""
    it = await instance(statedir=str(tmp_path))
    await it.load("content")
    await it.load("content-sqlite")
    return it


async def test_blobs_are_there_when_the_instance_starts_again(instance: Any, it: Any) -> None:
    blobs = [b"", b"x", b"large" * 100000]
    for blob in blobs:
        await it.flux().rpc("content.store", blob or None)
    await it.flux().rpc("content.checkpoint-put", {"value": {"n": 1}})
    await it.stop()
    again = await instance(statedir=it.brokers[0].attrs["statedir"])
    await again.load("content")
    await again.load("content-sqlite")
    for blob in blobs:
        answer = await again.flux().rpc("content.load", digest(blob))
        assert (answer.data or b"") == blob
    assert (await again.flux().rpc("content.checkpoint-get")).json == {"value": [{"n": 1}]}


async def test_what_is_to_be_written_behind_is_written_before_it_goes(it: Any) -> None:
    await it.flux().rpc("content.store", b"late")
    await it.remove("content-sqlite")
    assert (await it.flux().rpc("content.stats-get")).json["dirty"] == 0
    assert not [line for line in it.logged() if "unflushables" in line]
    await it.load("content-sqlite")
    assert (await it.flux().rpc("content-backing.load", digest(b"late"))).data == b"late"


async def test_what_is_answered_is_in_the_file(it: Any, tmp_path: Path) -> None:
    calls = [it.flux().rpc("content-backing.store", b"%d" % n) for n in range(100)]
    for n, call in enumerate(calls):
        assert (await call).data == digest(b"%d" % n)
    # The lock on the file is exclusive; its write-ahead log may be read as a copy.
    for suffix in ("", "-wal"):
        (tmp_path / f"copy{suffix}").write_bytes(
            (tmp_path / f"content.sqlite{suffix}").read_bytes()
        )
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("SELECT COUNT(*) FROM objects").fetchone() == (100,)
    copy.close()


async def test_many_blobs_come_in_one_request(it: Any) -> None:
    rpc = it.flux().rpc
    blobs = [b"", b"a", b"large" * 100000]
    answer = await rpc("content-backing.store-batch", batch.pack(blobs))
    assert answer.data == b"".join(map(digest, blobs))
    for blob in blobs:
        assert ((await rpc("content-backing.load", digest(blob))).data or b"") == blob
    assert (await rpc("content-sqlite.stats-get")).json["store_time"]["count"] == 3
    assert (await rpc("content-backing.store-batch", batch.pack([]))).data == b""
    await fails(rpc("content-backing.store-batch", b"no batch"), errno.EPROTO)


async def alone(folder: Path) -> tuple[ContentSqlite, Flux, list[Message]]:
    """The module without a broker, its handle, and what it sends that is no request."""
    sent: list[Message] = []
    answers = {"attr.get": {"value": str(folder), "flags": 0}}

    def send(msg: Message) -> None:
        if msg.type == c.REQUEST and not msg.noresponse:
            flux.receive(response(msg, answers.get(msg.topic or "")))
        else:
            sent.append(msg)

    attrs = {"rank": "0", "size": "1", "content.hash": "sha1"}
    flux = Flux(send, name="content-sqlite", attrs=attrs)
    module = ContentSqlite(flux, ["journal_mode=WAL"])
    module.bind(flux.core, "content-sqlite")
    await module.start()
    sent.clear()
    return module, flux, sent


async def test_a_batch_is_answered_when_it_is_written(tmp_path: Path) -> None:
    """What comes in one loop turn is one transaction; a load does not wait for its end."""
    module, flux, sent = await alone(tmp_path)
    for n in range(5):
        flux.receive(request("content-backing.store", b"%d" % n, rolemask=c.ROLE_OWNER))
    flux.receive(request("content-backing.load", digest(b"3"), rolemask=c.ROLE_OWNER))
    assert [(msg.topic, msg.data) for msg in sent] == [("content-backing.load", b"3")]
    await asyncio.sleep(0)
    assert [msg.data for msg in sent[1:]] == [digest(b"%d" % n) for n in range(5)]
    await module.stop()
    await flux.close()


@pytest.mark.parametrize(("undone", "errnums"), [(False, [_FULL, 0, 0]), (True, [_FULL, _FULL, 0])])
async def test_a_full_disk_is_told_to_all_whose_blobs_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undone: bool, errnums: list[int]
) -> None:
    """SQLite may undo the whole transaction when there is no room for one of them."""
    module, flux, sent = await alone(tmp_path)
    module._db._db.execute("PRAGMA max_page_count=30")
    store = module._db.store

    def store_or_undo(digests: list[bytes], blobs: list[bytes]) -> None:
        try:
            store(digests, blobs)
        except OSError:
            if undone:
                module._db._db.execute("ROLLBACK")
            raise

    monkeypatch.setattr(module._db, "store", store_or_undo)
    for blob in (b"small", b"x" * 500_000, b"other"):
        flux.receive(request("content-backing.store", blob, rolemask=c.ROLE_OWNER))
    await asyncio.sleep(0)
    stored = [msg for msg in sent if msg.topic == "content-backing.store"]
    assert [msg.errnum for msg in stored] == errnums
    assert stored[-1].data == digest(b"other")
    await module.stop()
    await flux.close()


async def test_the_answers_to_what_is_wrong(it: Any) -> None:
    rpc = it.flux().rpc
    for name in ("load", "validate"):
        await fails(rpc(f"content-backing.{name}", b"short"), errno.EPROTO)
        await fails(rpc(f"content-backing.{name}", digest(b"nosuch")), errno.ENOENT)
    await fails(rpc("content-backing.checkpoint-get"), errno.ENOENT)
    await fails(rpc("content-backing.checkpoint-put", {}), errno.EPROTO)
    await fails(
        rpc("content-backing.checkpoint-put", {"value": 1}),
        errno.EINVAL,
        "failed to encode checkpoint value",
    )
    await fails(rpc("content-backing.mark", {"epoch": 1, "hashes": ["sha1-1"]}), errno.EPROTO)
    await fails(
        rpc("content-backing.mark", {"epoch": 1, "hashes": ["x"] * 16385}),
        errno.EINVAL,
        "mark request of 16385 hashes exceeds limit of 16384",
    )
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    data = b'{"value":%b}\0' % repr(deep).encode()
    await fails(rpc("content-backing.checkpoint-put", data), errno.EPROTO)
    await fails(rpc("content-backing.gc-info", {"epoch": 2**63}), errno.EPROTO)
    await rpc("content-backing.gc-info", {"epoch": 2**63 - 1})
    sweep = {"epoch": 1, "cursor": 0, "high_water": 0, "delete_cap": 1, "window": 1}
    for key, value in (("cursor", -1), ("high_water", -1), ("delete_cap", 0), ("window", 0)):
        await fails(rpc("content-backing.sweep", {**sweep, key: value}), errno.EINVAL)
    guest = it.client(userid=1234, rolemask=c.ROLE_USER)
    await fails(guest.flux.rpc("content-backing.store", b"x"), errno.EPERM)


async def test_garbage_is_swept(it: Any) -> None:
    rpc = it.flux().rpc
    for n in range(20):
        await rpc("content-backing.store", b"%d" % n)
    await rpc("content-backing.checkpoint-put", {"value": {}})
    info = (await rpc("content-backing.gc-info", {"epoch": 1, "get_count": True})).json
    assert info == {"current_epoch": 1, "high_water": 20, "candidates": 20}
    keep = [blobref(b"%d" % n) for n in range(0, 20, 2)]
    marked = await rpc("content-backing.mark", {"epoch": 1, "hashes": keep})
    assert marked.json == {"marked": 10}
    cursor, deleted = 0, []
    while cursor < 20:
        request = {"epoch": 1, "cursor": cursor, "high_water": 20, "delete_cap": 3, "window": 9}
        answer = (await rpc("content-backing.sweep", request)).json
        cursor = answer["cursor"]
        deleted.append(answer["deleted"])
    assert deleted == [3, 3, 3, 1]
    for n in range(20):
        call = rpc("content-backing.validate", digest(b"%d" % n))
        if n % 2:
            await fails(call, errno.ENOENT)
        else:
            await call


async def test_the_statistics_are_flux_cores(it: Any) -> None:
    await it.flux().rpc("content-backing.store", b"x")
    await it.flux().rpc("content-backing.load", digest(b"x"))
    await it.flux().rpc("content-backing.checkpoint-put", {"value": {"n": 1}})
    guest = it.client(userid=1234, rolemask=c.ROLE_USER)
    stats = (await guest.flux.rpc("content-sqlite.stats-get")).json
    assert stats["object_count"] == 1
    assert stats["current_epoch"] == 1
    assert stats["dbfile_size"] > 0
    assert stats["dbfile_free"] > 0
    assert stats["config"] == {"journal_mode": "WAL", "synchronous": "NORMAL"}
    assert stats["checkpoints"] == [{"id": 1, "value": {"n": 1}}]
    for series in ("load_time", "store_time"):
        assert list(stats[series]) == ["count", "min", "max", "mean", "stddev"]
        assert stats[series]["count"] == 1
    await it.flux().rpc("content-sqlite.stats-clear")
    stats = (await it.flux().rpc("content-sqlite.stats-get")).json
    assert stats["store_time"]["count"] == 0


async def test_a_directory_that_will_go_is_written_without_care(
    instance: Any, tmp_path: Path
) -> None:
    it = await instance(statedir=str(tmp_path), statedir_cleanup="1")
    await it.load("content")
    await it.load("content-sqlite")
    stats = (await it.flux().rpc("content-sqlite.stats-get")).json
    assert stats["config"] == {"journal_mode": "OFF", "synchronous": "OFF"}


async def test_without_a_statedir_the_file_is_in_the_rundir(instance: Any, tmp_path: Path) -> None:
    it = await instance()
    await it.load("content")
    await it.load("content-sqlite", "journal_mode=MEMORY")
    assert (tmp_path / "content.sqlite").exists()


async def test_a_load_that_fails_leaves_nothing_open(it: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        await it.load("content-sqlite", "name=other")
    assert caught.value.errno == errno.EEXIST
    await it.remove("content-sqlite")
    await fails(
        it.load("content-sqlite", "nosuch"), errno.EINVAL, "Unknown module option: 'nosuch'"
    )
    (tmp_path / "content.sqlite").write_bytes(b"no database" * 1000)
    await fails(it.load("content-sqlite"), errno.EINVAL, "file is not a database(26)")
    assert not [fd for fd in os.listdir("/proc/self/fd") if _is(fd, "content.sqlite")]


def _is(fd: str, name: str) -> bool:
    try:
        return name in os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return False


async def test_a_changed_configuration_is_checked(it: Any) -> None:
    reload = it.flux().rpc
    await reload("content-sqlite.config-reload", {"content-sqlite": {"max_checkpoints": 3}})
    await fails(
        reload("content-sqlite.config-reload", {"content-sqlite": {"max_checkpoints": 0}}),
        errno.EINVAL,
        "invalid max_checkpoints config",
    )


async def test_a_hundred_checkpoints_keep_the_last(it: Any) -> None:
    for n in range(20):
        await it.flux().rpc("content.checkpoint-put", {"value": {"n": n}})
    answer = (await it.flux().rpc("content.checkpoint-get")).json
    assert json.dumps(answer) == json.dumps({"value": [{"n": n} for n in (19, 18, 17, 16, 15)]})
