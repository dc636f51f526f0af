import asyncio
import errno
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import make_val, val_bytes
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request
from support.refused import fails

EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
WATCH, WAITCREATE, FULL, UNIQ, APPEND, STREAM, SENTINEL = 4, 8, 64, 128, 256, 512, 1024


class Watch:
    """A watcher's stream, as what its answers tell."""

    def __init__(self, flux: Any, key: str, flags: int, namespace: str = "primary") -> None:
        payload = {"key": key, "namespace": namespace, "flags": flags}
        self.stream = flux.stream("kvs-watch.lookup", payload, cancel="kvs-watch.cancel")

    async def next(self) -> object:
        """A value's bytes, None for an empty answer, "end", or an errno."""
        try:
            msg = await anext(self.stream)
        except StopAsyncIteration:
            return "end"
        except OSError as exc:
            return exc.errno
        return val_bytes(msg.json["val"]) if msg.has_payload else None

    async def quiet(self, settled: Any) -> bool:
        """True if nothing has come."""
        await settled()
        return not self.stream._got


class Cluster:
    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def watch(
        self, key: str, flags: int, rank: int = 0, namespace: str = "primary", **who: Any
    ) -> Watch:
        return Watch(self.instance.client(rank, **who).flux, key, flags, namespace)

    async def commit(self, *todo: ops.Op, rank: int = 0, namespace: str = "primary") -> int:
        payload = {"namespace": namespace, "flags": 0, "ops": list(todo)}
        answer = (await self.instance.client(rank).flux.rpc("kvs.commit", payload)).json
        return int(answer["rootseq"])

    async def create(self, name: str, owner: int = -1) -> None:
        payload = {"namespace": name, "rootref": EMPTY, "owner": owner, "flags": 0}
        await self.instance.flux().rpc("kvs.namespace-create", payload, nodeid=0)

    async def remove(self, name: str) -> None:
        await self.instance.flux().rpc("kvs.namespace-remove", {"namespace": name}, nodeid=0)

    async def stats(self, rank: int = 0) -> Any:
        return (await self.instance.flux(rank).rpc("kvs-watch.stats-get", nodeid=rank)).json


async def started(instance: Any, size: int) -> Cluster:
    it = await instance(size)
    for name in ("content", "kvs", "kvs-watch"):
        await it.load(name)
    return Cluster(it)


@pytest.fixture
async def one(instance: Any) -> Cluster:
    return await started(instance, 1)


@pytest.fixture
async def four(instance: Any) -> Cluster:
    return await started(instance, 4)


# -- watching ------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_value_and_its_changes(four: Cluster, settled: Any, rank: int) -> None:
    await four.commit(ops.put("d.a", b"1"))
    watch = four.watch("d.a", WATCH | WAITCREATE, rank)
    assert await watch.next() == b"1"
    for n in range(2, 6):
        await four.commit(ops.put("d.a", b"%d" % n), rank=n % 4)
        assert await watch.next() == b"%d" % n
    await four.commit(ops.put("d.b", b"other"))
    assert await watch.quiet(settled)
    await four.commit(ops.unlink("d.a"))
    assert await watch.next() == errno.ENOENT


async def test_changes_that_come_fast_are_all_told_in_order(four: Cluster) -> None:
    watch = four.watch("a", WATCH | WAITCREATE, 3)
    for n in range(20):
        await four.commit(ops.put("a", b"%d" % n))
    told = []
    while b"19" not in told:
        told.append(await watch.next())
    assert told == [b"%d" % n for n in range(20 - len(told), 20)]


async def test_a_key_that_is_not_there(four: Cluster, settled: Any) -> None:
    assert await four.watch("nosuch", WATCH, 3).next() == errno.ENOENT
    waits = four.watch("nosuch", WATCH | WAITCREATE, 3)
    assert await waits.quiet(settled)
    await four.commit(ops.put("nosuch", b"now it is"))
    assert await waits.next() == b"now it is"


async def test_a_plain_lookup_waits_for_the_key_and_is_answered_once(four: Cluster) -> None:
    payload = {"key": "a", "namespace": "primary", "flags": WAITCREATE}
    call = four.instance.client(3).flux.rpc("kvs-watch.lookup", payload)
    await four.commit(ops.put("a", b"1"))
    assert (await call).json == {"val": make_val(b"1")}
    await four.commit(ops.put("a", b"2"))
    assert (await four.stats(3))["watchers"] == 0


async def test_full_sees_what_no_commit_names(one: Cluster, settled: Any) -> None:
    await one.commit(ops.put("d.a", b"1"), ops.put("e.a", b"2"))
    full, named = one.watch("d.a", WATCH | FULL), one.watch("d.a", WATCH)
    assert (await full.next(), await named.next()) == (b"1", b"1")
    await one.commit(ops.put("other", b"1"))
    assert await full.quiet(settled)
    await one.commit(ops.symlink("d", "e"))
    assert await full.next() == b"2"
    assert await named.quiet(settled)


async def test_unique_values(one: Cluster, settled: Any) -> None:
    await one.commit(ops.put("a", b"1"))
    watch = one.watch("a", WATCH | UNIQ)
    assert await watch.next() == b"1"
    await one.commit(ops.put("a", b"1"))
    assert await watch.quiet(settled)
    await one.commit(ops.put("a", b"2"))
    assert await watch.next() == b"2"


# -- pieces --------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 3])
async def test_each_piece_that_is_appended_is_told_once(
    four: Cluster, settled: Any, rank: int
) -> None:
    for n in range(3):
        await four.commit(ops.append("log", b"event %d\n" % n))
    watch = four.watch("log", WATCH | APPEND, rank)
    assert [await watch.next() for _ in range(3)] == [b"event %d\n" % n for n in range(3)]
    await four.commit(ops.append("log", b"a"), ops.append("log", b"b"))
    assert [await watch.next() for _ in range(2)] == [b"a", b"b"]
    assert await watch.quiet(settled)
    await four.commit(ops.put("log", b"overwritten"))
    assert await watch.next() == errno.EINVAL


async def test_the_errors_of_append_have_their_texts(one: Cluster) -> None:
    await one.commit(ops.append("log", b"1"), ops.put("d.a", b"1"))
    await one.commit(ops.append("log", b"2"))

    async def text(key: str, flags: int) -> Any:
        stream = one.watch(key, flags).stream
        with pytest.raises(OSError) as caught:
            await anext(stream)
        return caught.value.errno, caught.value.strerror

    assert await text("d", WATCH | APPEND) == (21, "dirref cannot be watched with WATCH_APPEND")
    assert await text("d", STREAM) == (21, "dirref cannot be streamed")
    watch = one.watch("log", WATCH | APPEND)
    assert [await watch.next(), await watch.next()] == [b"1", b"2"]
    await one.commit(ops.put("log", b"x" * 100))
    with pytest.raises(OSError) as caught:
        await anext(watch.stream)
    assert caught.value.strerror == "key watched with WATCH_APPEND shortened"


async def test_the_sentinel(one: Cluster) -> None:
    flags = WATCH | WAITCREATE | APPEND | SENTINEL
    early = one.watch("log", flags)
    assert await early.next() is None
    for n in range(3):
        await one.commit(ops.append("log", b"%d" % n))
    late = one.watch("log", flags)
    assert [await late.next() for _ in range(4)] == [b"0", b"1", b"2", None]
    assert [await early.next() for _ in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_stream_ends_by_itself(four: Cluster, count: int) -> None:
    for n in range(count):
        await four.commit(ops.append("log", b"%d" % n))
    watch = four.watch("log", STREAM, 2)
    assert [await watch.next() for _ in range(count + 1)] == [
        *(b"%d" % n for n in range(count)),
        "end",
    ]
    assert (await four.stats(2))["watchers"] == 0


# -- namespaces ----------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_namespace_that_is_created_and_removed(four: Cluster, rank: int) -> None:
    assert await four.watch("a", WATCH, rank, "n").next() == errno.ENOTSUP
    waits = four.watch("a", WATCH | WAITCREATE, rank, "n")
    await four.create("n")
    await four.commit(ops.put("a", b"1"), namespace="n")
    assert await waits.next() == b"1"
    await four.remove("n")
    assert await waits.next() == errno.ENOTSUP
    assert (await four.stats(rank))["namespace-count"] == 0


async def test_one_who_waits_does_not_hide_that_a_namespace_is_missing(one: Cluster) -> None:
    one.watch("a", WATCH | WAITCREATE, 0, "n")
    assert await one.watch("a", WATCH, 0, "n").next() == errno.ENOTSUP
    assert await one.watch("a", WATCH, 0, "n").next() == errno.ENOTSUP


async def test_a_namespace_is_for_its_owner(four: Cluster) -> None:
    await four.create("theirs", 1234)
    await four.commit(ops.put("a", b"1"), namespace="theirs")
    for rank in (0, 3):
        for userid, told in ((1234, b"1"), (99, errno.EPERM)):
            watch = four.watch("a", WATCH, rank, "theirs", userid=userid, rolemask=c.ROLE_USER)
            assert await watch.next() == told


async def test_a_lookup_is_made_as_the_user_who_watches(one: Cluster) -> None:
    await one.create("mine", 99)
    await one.create("theirs", 1234)
    await one.commit(ops.put("a", b"1"), namespace="theirs")
    await one.commit(ops.symlink("far", "a", "theirs"), namespace="mine")
    guest = one.watch("far", WATCH, 0, "mine", userid=99, rolemask=c.ROLE_USER)
    assert await guest.next() == errno.EPERM
    assert await one.watch("far", WATCH, 0, "mine").next() == b"1"


# -- the ends of a watcher -----------------------------------------------------------------


async def test_cancelling(one: Cluster, settled: Any) -> None:
    await one.commit(ops.put("a", b"1"))
    watch, other = one.watch("a", WATCH), one.watch("a", WATCH)
    assert (await watch.next(), await other.next()) == (b"1", b"1")
    other.stream._flux.notify("kvs-watch.cancel", {"matchtag": 99})
    watch.stream.cancel()
    assert await watch.next() == "end"
    await one.commit(ops.put("a", b"2"))
    assert await other.next() == b"2"
    assert (await one.stats())["watchers"] == 1


async def test_a_client_that_is_gone(one: Cluster, settled: Any) -> None:
    client = one.instance.client()
    for key in ("a", "b"):
        Watch(client.flux, key, WATCH | WAITCREATE)
    stays = one.watch("a", WATCH | WAITCREATE)
    await settled()
    assert (await one.stats())["watchers"] == 3
    await client.gone("kvs-watch")
    await settled()
    assert (await one.stats())["watchers"] == 1
    await one.commit(ops.put("a", b"1"))
    assert await stays.next() == b"1"


async def test_a_guest_cannot_say_that_another_is_gone(one: Cluster, settled: Any) -> None:
    watcher = one.instance.client()
    watch = Watch(watcher.flux, "a", WATCH | WAITCREATE)
    guest = one.instance.client(userid=99, rolemask=c.ROLE_USER)
    forged = request("kvs-watch.disconnect", flags=c.NORESPONSE).pushed(watcher.uuid)
    guest.flux.core.send(forged)
    await settled()
    await one.commit(ops.put("a", b"1"))
    assert await watch.next() == b"1"


async def test_those_who_watch_when_the_module_is_removed(one: Cluster, settled: Any) -> None:
    watch = one.watch("a", WATCH | WAITCREATE)
    await settled()
    await one.instance.remove("kvs-watch")
    assert await watch.next() == errno.ENOSYS


# -- what is wrong, statistics -------------------------------------------------------------


async def test_requests_that_are_wrong(one: Cluster) -> None:
    rpc = one.instance.client().flux.rpc
    good = {"key": "a", "namespace": "primary", "flags": WATCH}
    text = "KVS watch request rejected without streaming RPC flag"
    await fails(rpc("kvs-watch.lookup", good), errno.EPROTO, text)
    for key in good:
        await fails(rpc("kvs-watch.lookup", {**good, key: None}), errno.EPROTO)
    text = "Must set KVS watch flag with other watch flags"
    await fails(rpc("kvs-watch.lookup", {**good, "flags": FULL}), errno.EINVAL, text)


async def test_the_statistics(one: Cluster, settled: Any) -> None:
    one.watch("a", WATCH | WAITCREATE, 0, "nosuch")
    await one.commit(ops.put("a", b"1"))
    one.watch("a", WATCH)
    await settled()
    stats = await one.stats()
    assert stats["watchers"] == stats["namespace-count"] == 2
    assert stats["namespaces"]["nosuch"] == {
        "owner": -1,
        "rootseq": -1,
        "rootref": "(null)",
        "watchers": 1,
    }
    primary = stats["namespaces"]["primary"]
    assert primary["owner"] == one.instance.brokers[0].router.userid
    assert (primary["rootseq"], primary["watchers"]) == (1, 1)
    root = await one.instance.flux().rpc("kvs.getroot", {"namespace": "primary"})
    assert primary["rootref"] == root.json["rootref"]


async def test_a_commit_asks_nothing_for_watchers_of_other_keys(one: Cluster) -> None:
    """However many there are, a commit looks only at those of its keys."""
    await one.commit(*(ops.put(f"k{n}", b"0") for n in range(50)))
    watches = [one.watch(f"k{n}", WATCH) for n in range(50)]
    for watch in watches:
        assert await watch.next() == b"0"
    seen: list[Message] = []
    link = one.instance.brokers[0].host.by_name("kvs-watch")
    link.on_message = lambda prefix, msg: seen.append(msg) if prefix == "tx" else None
    await one.commit(ops.put("k7", b"1"))
    assert await watches[7].next() == b"1"
    assert [msg.topic for msg in seen] == ["kvs.lookup-plus", "kvs-watch.lookup"]


async def test_a_watcher_that_ends_while_its_blobs_are_loaded(one: Cluster, settled: Any) -> None:
    for n in range(3):
        await one.commit(ops.append("log", b"%d" % n))
    one.instance.module("kvs")._machines.cache.trim(0)
    content = one.instance.brokers[0].host.by_name("content")
    watch = one.watch("log", WATCH | APPEND)
    content.defer(True)
    await asyncio.sleep(0)
    watch.stream.cancel()
    content.defer(False)
    told = []
    while (answer := await watch.next()) != "end":
        told.append(answer)
    assert told == [b"%d" % n for n in range(len(told))]
