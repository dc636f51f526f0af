"""The backing store: what is written behind, who may be it, and checkpoints."""

import asyncio
import errno
from typing import Any

import pytest

from support.backing_store import Backing, backed, digest
from support.refused import fails


async def test_a_store_does_not_wait_for_the_backing_store(instance: Any) -> None:
    it, backing = await backed(instance)
    backing.held = []
    await it.flux().rpc("content.store", b"one")
    flush = it.flux().rpc("content.flush")
    await asyncio.sleep(0)
    assert (await it.flux().rpc("content.stats-get")).json == {
        "count": 1,
        "valid": 1,
        "dirty": 1,
        "size": 3,
        "flush-batch-count": 1,
        "mmap": {"tags": {}, "blobs": 0},
    }
    backing.release()
    await flush
    assert backing.blobs == {digest(b"one"): b"one"}
    assert (await it.flux().rpc("content.stats-get")).json["dirty"] == 0


async def test_so_many_are_written_at_a_time(instance: Any, settled: Any) -> None:
    it, backing = await backed(instance, 1, "flush-batch-limit=3")
    backing.held = []
    for n in range(10):
        await it.flux().rpc("content.store", b"%d" % n)
    flush = it.flux().rpc("content.flush")
    await settled()
    assert len(backing.held) == 3
    while backing.held:
        backing.release()
        await settled()
    await flush
    assert len(backing.blobs) == 10
    assert backing.most_held == 3


async def test_what_was_stored_before_is_written_when_a_backing_store_comes(
    instance: Any, settled: Any
) -> None:
    it = await instance()
    await it.load("content")
    await it.flux().rpc("content.store", b"early")
    await fails(it.flux().rpc("content.flush"), errno.ENOSYS)
    backing = Backing(it)
    await it.flux().rpc("content.register-backing", {"name": "fake"})
    await it.flux().rpc("content.flush")
    assert backing.blobs == {digest(b"early"): b"early"}
    assert (await it.flux().rpc("attr.get", {"name": "content.backing-module"})).json == {
        "value": "fake",
        "flags": 0,
    }


async def test_a_blob_stored_again_is_written_again(instance: Any) -> None:
    """It may have been garbage to the backing store, and is no more."""
    it, backing = await backed(instance)
    for _ in range(2):
        await it.flux().rpc("content.store", b"again")
        await it.flux().rpc("content.flush")
        assert backing.blobs.pop(digest(b"again")) == b"again"


async def test_a_flush_fails_with_what_the_backing_store_says(instance: Any) -> None:
    it, backing = await backed(instance)
    backing.failure = errno.ENOSPC
    await it.flux().rpc("content.store", b"one")
    await fails(it.flux().rpc("content.flush"), errno.ENOSPC)
    assert it.logged()[-1] == "content store: disk trouble"
    assert (await it.flux().rpc("content.load", digest(b"one"))).data == b"one"
    backing.failure = 0
    await it.flux().rpc("content.flush")
    assert backing.blobs == {digest(b"one"): b"one"}


async def test_a_flush_that_waits_when_the_backing_store_goes(instance: Any) -> None:
    it, backing = await backed(instance)
    backing.held = []
    await it.flux().rpc("content.store", b"one")
    flush = it.flux().rpc("content.flush")
    await it.flux().rpc("content.unregister-backing")
    await fails(flush, errno.ENOSYS)
    assert "1 unflushables" in it.logged()
    await fails(
        it.flux().rpc("content.unregister-backing"),
        errno.EINVAL,
        "content backing store is not active",
    )


async def test_a_flush_above_rank_0_waits_for_what_is_on_its_way(instance: Any) -> None:
    it = await instance(2)
    await it.load("content")
    store = it.flux(1).rpc("content.store", b"up")
    await it.flux(1).rpc("content.flush")
    assert (await it.flux(0).rpc("content.load", digest(b"up"))).data == b"up"
    await store


async def test_what_is_to_be_written_behind_is_sent_before_the_module_goes(
    instance: Any, settled: Any
) -> None:
    it, backing = await backed(instance)
    await it.flux().rpc("content.store", b"late")
    await it.remove("content")
    await settled()
    assert backing.blobs == {digest(b"late"): b"late"}


async def test_those_who_wait_when_the_module_is_removed(instance: Any) -> None:
    it, backing = await backed(instance)
    backing.held = []
    await it.flux().rpc("content.store", b"dirty")
    flush = it.flux().rpc("content.flush")
    await it.remove("content")
    await fails(flush, errno.ENOSYS)


# -- registering ---------------------------------------------------------------------------


async def test_who_may_be_the_backing_store(instance: Any) -> None:
    it, _ = await backed(instance, 2)
    register = {"name": "fake"}
    await fails(
        it.flux(0).rpc("content.register-backing", register),
        errno.EBUSY,
        "content backing store is already active",
    )
    await fails(
        it.flux(1).rpc("content.register-backing", register, nodeid=1),
        errno.EINVAL,
        "content backing store can only be registered on rank 0",
    )
    await it.flux().rpc("content.unregister-backing")
    await fails(
        it.flux(0).rpc("content.register-backing", {"name": "other"}),
        errno.EINVAL,
        "content backing store cannot be changed on the fly",
    )
    await it.flux().rpc("content.register-backing", register)


async def test_the_backing_store_of_the_command_line(instance: Any) -> None:
    it = await instance(1, **{"content.backing_module": "chosen"})
    await it.load("content")
    await fails(it.flux().rpc("content.register-backing", {"name": "other"}), errno.EINVAL)
    await it.flux().rpc("content.register-backing", {"name": "chosen"})


# -- checkpoints ---------------------------------------------------------------------------


async def test_checkpoints_go_to_the_backing_store_after_the_blobs(instance: Any) -> None:
    it, backing = await backed(instance, 4)
    await it.flux(3).rpc("content.store", b"root")
    for rank, value in ((0, {"n": 1}), (3, {"n": 2})):
        await it.flux(rank).rpc("content.checkpoint-put", {"value": value})
    assert digest(b"root") in backing.blobs
    for rank in (0, 3):
        answer = await it.flux(rank).rpc("content.checkpoint-get")
        assert answer.json == {"value": [{"n": 2}, {"n": 1}]}


@pytest.mark.parametrize("rank", [0, 1])
async def test_no_checkpoints_without_a_backing_store(instance: Any, rank: int) -> None:
    it = await instance(2)
    await it.load("content")
    await fails(
        it.flux(rank).rpc("content.checkpoint-get"),
        errno.ENOSYS,
        "checkpoint get unavailable, no backing store",
    )
    await fails(
        it.flux(rank).rpc("content.checkpoint-put", {"value": {}}),
        errno.ENOSYS,
        "checkpoint put unavailable, no backing store",
    )


async def test_a_checkpoint_whose_blobs_cannot_be_written(instance: Any) -> None:
    it, backing = await backed(instance)
    backing.failure = errno.EIO
    await it.flux().rpc("content.store", b"root")
    await fails(
        it.flux().rpc("content.checkpoint-put", {"value": {}}),
        errno.EIO,
        "error flushing content",
    )
    assert backing.checkpoints == []
    await fails(it.flux().rpc("content.checkpoint-put", {"other": {}}), errno.EPROTO)
