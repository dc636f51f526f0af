import asyncio
import errno
import hashlib
from typing import Any

import pytest

from fluxcore.handle.service import DEFERRED, Method, Reply
from fluxcore.kvs import batch
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message


def digest(blob: bytes) -> bytes:
    return hashlib.sha1(blob).digest()


class Backing:
    """A service content-backing on rank 0 that answers when it is told to."""

    def __init__(self, instance: Any) -> None:
        self.blobs: dict[bytes, bytes] = {}
        self.checkpoints: list[object] = []
        self.loads = 0
        self.failure = 0
        self.held: list[Message] | None = None
        self.most_held = 0
        broker = instance.brokers[0]
        self.flux = broker.own.flux
        broker.router.add_service("content-backing", broker.own)
        for name in ("load", "store", "checkpoint-get", "checkpoint-put"):
            function = getattr(self, name.replace("-", "_"))
            self.flux.core.add_method(f"content-backing.{name}", Method(function))

    def load(self, req: Message) -> Reply:
        self.loads += 1
        blob = self.blobs.get(req.data or b"")
        if blob is None:
            raise OSError(errno.ENOENT, "No such file or directory")
        return blob or None

    def store(self, req: Message) -> Reply:
        if self.held is not None:
            self.held.append(req)
            self.most_held = max(self.most_held, len(self.held))
            return DEFERRED
        if self.failure:
            raise OSError(self.failure, "disk trouble")
        self.blobs[digest(req.data or b"")] = req.data or b""
        return digest(req.data or b"")

    def release(self) -> None:
        while self.held:
            req = self.held.pop(0)
            self.blobs[digest(req.data or b"")] = req.data or b""
            self.flux.respond(req, digest(req.data or b""))

    def checkpoint_get(self, _req: Message) -> Reply:
        return {"value": self.checkpoints}

    def checkpoint_put(self, req: Message) -> Reply:
        self.checkpoints.insert(0, req.json["value"])
        return None


async def backed(instance: Any, size: int = 1, *args: str) -> tuple[Any, Backing]:
    """An instance whose content service has a backing store."""
    it = await instance(size)
    backing = Backing(it)
    await it.load("content", *args)
    await it.flux().rpc("content.register-backing", {"name": "fake"})
    return it, backing


async def fails(call: Any, errnum: int, text: str | None = None) -> None:
    with pytest.raises(OSError) as caught:
        await call
    assert caught.value.errno == errnum
    if text is not None:
        assert caught.value.strerror == text


# -- load and store ------------------------------------------------------------------------


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


# -- writing behind ------------------------------------------------------------------------


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
