import asyncio
import errno
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import make_dirref, make_symlink, make_val
from fluxcore.wire import constants as c
from fluxcore.wire.message import Message, request

EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
READDIR, READLINK, TREEOBJ = 1, 2, 16


@pytest.mark.parametrize("rank", [0, 3])
async def test_the_answers_of_a_lookup(kvs4: Any, fails: Any, rank: int) -> None:
    await kvs4.on().commit(
        ops.put("d.a", b"1"), ops.symlink("l", "d"), ops.append("log", b"x" * 60)
    )
    _, seq = await kvs4.on().commit(ops.append("log", b"y"))
    client = kvs4.on(rank)
    await client.wait(seq)
    assert await client.lookup("d.a") == make_val(b"1")
    assert await client.lookup("l.a") == make_val(b"1")
    assert await client.lookup("log") == make_val(b"x" * 60 + b"y")
    assert await client.lookup("d", READDIR) == {
        "ver": 1,
        "type": "dir",
        "data": {"a": make_val(b"1")},
    }
    assert await client.lookup("l", READLINK) == make_symlink("d")
    assert (await client.lookup("log", TREEOBJ))["type"] == "valref"
    assert await client.lookup(".", TREEOBJ) == make_dirref((await client.root())["rootref"])
    for key, flags, errnum in (
        ("nosuch", 0, errno.ENOENT),
        ("d.a.b", 0, errno.ENOENT),
        ("d", 0, errno.EISDIR),
        (".", 0, errno.EISDIR),
        ("d.a", READDIR, errno.ENOTDIR),
        ("d.a", READLINK, errno.EINVAL),
    ):
        await fails(client.lookup(key, flags), errnum)
    await fails(kvs4.on(rank, "nosuch").lookup("a"), errno.ENOTSUP)


async def test_a_root_may_be_given(kvs: Any, fails: Any) -> None:
    client = kvs.on()
    old, _ = await client.put(a=b"old")
    await client.put(a=b"new")
    rootdir = make_dirref(old)
    assert await client.lookup("a", rootdir=rootdir) == make_val(b"old")
    answer = await client.flux.rpc("kvs.lookup", {"key": "a", "flags": 0, "rootdir": rootdir})
    assert answer.json == {"val": make_val(b"old")}
    for wrong in (make_val(b""), None, {"ver": 1}, make_dirref("sha1-1")):
        await fails(client.lookup("a", rootdir=wrong), errno.EINVAL)
    await fails(client.lookup("a", rootdir=make_dirref("sha1-" + "1" * 40)), errno.ENOENT)
    await fails(client.flux.rpc("kvs.lookup", {"key": "a", "flags": 0}), errno.EPROTO)
    await fails(client.flux.rpc("kvs.lookup", {"flags": 0, "namespace": "primary"}), errno.EPROTO)


async def test_lookup_plus_tells_the_root_and_a_missing_key_is_no_failure(
    kvs: Any, fails: Any
) -> None:
    client = kvs.on()
    root, seq = await client.put(a=b"1")

    async def plus(**payload: Any) -> dict[str, Any]:
        answer: Message = await client.flux.rpc("kvs.lookup-plus", {"flags": 0, **payload})
        return answer.json

    there = {"rootseq": seq, "rootref": root}
    assert await plus(key="a", namespace="primary") == {"val": make_val(b"1"), **there}
    assert await plus(key="b", namespace="primary") == {"errno": 2, **there}
    older = {"rootdir": make_dirref(EMPTY), "rootseq": 0}
    assert await plus(key="a", **older) == {"errno": 2, "rootseq": 0, "rootref": EMPTY}
    await fails(plus(key="a", rootdir=make_dirref(EMPTY)), errno.EPROTO)
    await fails(plus(key=".", namespace="primary"), errno.EISDIR)


async def test_what_many_wait_for_is_loaded_once(kvs4: Any) -> None:
    _, seq = await kvs4.on().put(a_b_c=b"1")
    client = kvs4.on(3)
    await client.wait(seq)
    content = kvs4.instance.brokers[1].host.by_name("content")
    content.defer(True)
    lookups = [asyncio.ensure_future(client.lookup("a.b.c")) for _ in range(5)]
    await asyncio.sleep(0)
    stats = await kvs4.stats(3)
    assert (stats["pending_requests"], stats["cache"]["#obj incomplete"]) == (5, 1)
    content.defer(False)
    assert await asyncio.gather(*lookups) == [make_val(b"1")] * 5
    stats = await kvs4.stats(3)
    assert (stats["pending_requests"], stats["cache"]["#faults"]) == (0, 3)


async def test_a_guest_cannot_say_that_another_is_gone(kvs: Any, settled: Any) -> None:
    waiting, guest = kvs.instance.client(), kvs.guest(99)
    waits = waiting.flux.rpc("kvs.wait-version", {"namespace": "primary", "rootseq": 1})
    forged = request("kvs.disconnect", flags=c.NORESPONSE).pushed(waiting.uuid)
    guest.flux.core.send(forged)
    await settled()
    await kvs.on().put(a=b"1")
    assert waits.ended
    assert (await waits).json["rootseq"] == 1


async def test_a_client_that_is_gone_is_not_answered(kvs4: Any, settled: Any) -> None:
    _, seq = await kvs4.on().put(a=b"1")
    gone, stays = kvs4.instance.client(3), kvs4.on(3)
    await stays.wait(seq)
    content = kvs4.instance.brokers[1].host.by_name("content")
    content.defer(True)
    payload = {"key": "a", "flags": 0, "namespace": "primary"}
    gone.flux.rpc("kvs.lookup", payload)
    gone.flux.rpc("kvs.wait-version", {"namespace": "primary", "rootseq": 99})
    lookup = asyncio.ensure_future(stays.lookup("a"))
    await settled()
    assert (await kvs4.stats(3))["pending_requests"] == 3
    await gone.gone("kvs")
    assert (await kvs4.stats(3))["pending_requests"] == 1
    content.defer(False)
    assert await lookup == make_val(b"1")


async def test_what_was_not_used_leaves_the_cache(kvs: Any, settled: Any) -> None:
    client = kvs.on()
    await client.put(a_b=b"1")
    assert (await kvs.stats())["cache"]["obj size (KiB)"]["count"] > 0
    kvs.instance.module("kvs")._machines.cache.now = -1000.0
    await client.lookup("a.b")
    kvs.instance.pulse()
    await settled()
    assert (await kvs.stats())["cache"]["obj size (KiB)"]["count"] == 0
    assert await client.get("a.b") == b"1"


@pytest.mark.slow
async def test_a_deep_key(kvs: Any) -> None:
    client = kvs.on()
    key = ".".join("d" * 1500)
    await client.commit(ops.put(key, b"bottom"))
    kvs.instance.module("kvs")._machines.cache.trim(0)
    assert await client.get(key) == b"bottom"
    kvs.instance.module("kvs")._machines.cache.trim(0)
    await client.commit(ops.append(key, b"!"))
    assert await client.get(key) == b"bottom!"


async def test_another_namespace_behind_a_symlink_is_asked_for(kvs4: Any, fails: Any) -> None:
    await kvs4.create("theirs", 1234)
    await kvs4.guest(1234, 0, "theirs").put(a=b"theirs")
    _, seq = await kvs4.on().commit(
        ops.symlink("far", "a", "theirs"), ops.symlink("void", "a", "nosuch")
    )
    client = kvs4.on(3)
    await client.wait(seq)
    assert await client.get("far") == b"theirs"
    await fails(client.lookup("void"), errno.ENOTSUP)
    await kvs4.create("mine", 99)
    await kvs4.on(0, "mine").commit(ops.symlink("far", "a", "theirs"))
    await fails(kvs4.guest(99, 2, "mine").lookup("far"), errno.EPERM)
