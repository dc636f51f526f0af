"""Blobs that are stored and loaded, the cache, and the module's options."""

import asyncio
import errno
from typing import Any

import pytest

from fluxcore.kvs import batch
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message
from support.backing_store import backed, digest
from support.refused import fails


@pytest.mark.parametrize(
    "blob", [b"", b"x", bytes(range(256)) * 1000], ids=["empty", "small", "large"]
)
async def test_what_is_stored_on_one_rank_is_loaded_on_another(instance: Any, blob: bytes) -> None:
    it = await instance(7)
    await it.load("content")
    for rank in (0, 6):
        answer = await it.flux(rank).rpc("content.store", blob or None)
        assert answer.data == digest(blob)
    for rank in range(7):
        answer = await it.flux(rank).rpc("content.load", digest(blob))
        assert (answer.data or b"") == blob
        assert answer.has_payload == bool(blob)


async def test_a_store_is_answered_after_rank_0_has_it(instance: Any) -> None:
    it = await instance(7)
    await it.load("content")
    await it.flux(6).rpc("content.store", b"deep")
    stats = (await it.flux(0).rpc("content.stats-get")).json
    assert (stats["valid"], stats["dirty"]) == (1, 1)


@pytest.mark.parametrize("rank", [0, 3])
async def test_an_unknown_blob(instance: Any, rank: int) -> None:
    it = await instance(4)
    await it.load("content")
    await fails(it.flux(rank).rpc("content.load", digest(b"nosuch")), errno.ENOENT)
    stats = (await it.flux(rank).rpc("content.stats-get")).json
    assert stats["count"] == 0


@pytest.mark.parametrize("payload", [None, b"x" * 19, b"x" * 21, {"a": 1}])
async def test_what_is_no_digest(instance: Any, payload: Any) -> None:
    it = await instance()
    await it.load("content")
    await fails(it.flux().rpc("content.load", payload), errno.EPROTO)


async def test_a_blob_above_the_limit(instance: Any) -> None:
    it = await instance()
    await it.load("content", "blob-size-limit=10")
    await it.flux().rpc("content.store", b"x" * 10)
    await fails(it.flux().rpc("content.store", b"x" * 11), errno.EFBIG)


async def test_many_blobs_are_stored_by_one_request(instance: Any) -> None:
    it = await instance(2)
    await it.load("content", "blob-size-limit=10")
    blobs = [b"", b"a", b"b", b"a"]
    rpc = it.flux().rpc
    answer = await rpc("content.store-batch", batch.pack(blobs))
    assert answer.data == b"".join(map(digest, blobs))
    for blob in blobs:
        assert ((await it.flux(1).rpc("content.load", digest(blob))).data or b"") == blob
    await fails(rpc("content.store-batch", batch.pack([b"c", b"x" * 11])), errno.EFBIG)
    await fails(rpc("content.load", digest(b"c")), errno.ENOENT)
    await fails(rpc("content.store-batch", b"no batch"), errno.EPROTO)
    await fails(it.flux(1).rpc("content.store-batch", batch.pack(blobs)), errno.EINVAL)


async def test_guests_have_no_access(instance: Any) -> None:
    it = await instance()
    await it.load("content")
    guest = it.client(userid=1234, rolemask=c.ROLE_USER)
    for method in ("load", "store", "store-batch", "flush", "stats-get", "checkpoint-get"):
        await fails(guest.flux.rpc(f"content.{method}"), errno.EPERM)


async def test_one_load_is_sent_for_many_who_wait(instance: Any) -> None:
    it, backing = await backed(instance, 3)
    backing.blobs[digest(b"old")] = b"old"
    calls = [it.flux(rank).rpc("content.load", digest(b"old")) for rank in (1, 1, 2, 0)]
    assert [call.data for call in await asyncio.gather(*map(as_task, calls))] == [b"old"] * 4
    assert backing.loads == 1


async def as_task(call: Any) -> Message:
    answer: Message = await call
    return answer


async def test_a_store_answers_those_who_wait_for_the_blob(instance: Any) -> None:
    it = await instance(2)
    await it.load("content")
    parent = it.brokers[0]
    parent.host.by_name("content").defer(True)
    load = it.flux(1).rpc("content.load", digest(b"late"))
    store = it.flux(1).rpc("content.store", b"late")
    assert (await load).data == b"late"
    parent.host.by_name("content").defer(False)
    assert (await store).data == digest(b"late")


# -- the cache -----------------------------------------------------------------------------


async def test_dropping_the_cache_keeps_what_is_nowhere_else(instance: Any) -> None:
    it, backing = await backed(instance)
    await it.flux().rpc("content.store", b"clean")
    await it.flux().rpc("content.flush")
    backing.held = []
    await it.flux().rpc("content.store", b"dirty")
    await it.flux().rpc("content.dropcache")
    stats = (await it.flux().rpc("content.stats-get")).json
    assert (stats["count"], stats["size"], stats["dirty"]) == (1, 5, 1)
    assert "content dropcache 1/2" in it.logged()
    assert (await it.flux().rpc("content.load", digest(b"clean"))).data == b"clean"
    backing.release()


async def test_the_heartbeat_drops_what_is_old_and_too_much(instance: Any, settled: Any) -> None:
    it, _ = await backed(instance, 1, "purge-target-size=10", "purge-old-entry=0")
    for n in range(5):
        await it.flux().rpc("content.store", b"blob%d" % n)
    await it.flux().rpc("content.flush")
    it.pulse()
    await settled()
    stats = (await it.flux().rpc("content.stats-get")).json
    assert (stats["count"], stats["size"]) == (2, 10)


async def test_the_heartbeat_keeps_what_is_young(instance: Any, settled: Any) -> None:
    it, _ = await backed(instance, 1, "purge-target-size=0", "purge-old-entry=1000")
    it.pulse()
    await it.flux().rpc("content.store", b"young")
    await it.flux().rpc("content.flush")
    it.pulse()
    await settled()
    assert (await it.flux().rpc("content.stats-get")).json["count"] == 1


@pytest.mark.parametrize(
    ("arg", "text"),
    [
        ("nosuch=1", "unknown module option: nosuch=1"),
        ("blob-size-limit", "unknown module option: blob-size-limit"),
        ("blob_size_limit=1", "unknown module option: blob_size_limit=1"),
        ("blob-size-limit=x", "error parsing blob-size-limit=x"),
        ("blob-size-limit=-1", "error parsing blob-size-limit=-1"),
        ("purge-old-entry=4294967296", "error parsing purge-old-entry=4294967296"),
    ],
)
async def test_options_that_are_wrong(instance: Any, arg: str, text: str) -> None:
    it = await instance()
    await fails(it.load("content", arg), errno.EINVAL, text)
