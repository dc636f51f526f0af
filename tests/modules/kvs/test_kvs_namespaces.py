import asyncio
import errno
from typing import Any

import pytest

from fluxcore.kvs import ops

EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"


async def listed(kvs: Any, rank: int = 0) -> dict[str, int]:
    answer = (await kvs.instance.flux(rank).rpc("kvs.namespace-list", nodeid=rank)).json
    return {ns["namespace"]: ns["owner"] for ns in answer["namespaces"]}


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_namespace_from_its_beginning_to_its_end(
    kvs4: Any, fails: Any, settled: Any, rank: int
) -> None:
    await kvs4.create("n", 1234)
    client = kvs4.on(rank, "n")
    assert await client.root() == {
        "owner": 1234,
        "rootseq": 0,
        "rootref": EMPTY,
        "flags": 0,
        "namespace": "n",
    }
    assert (await client.put(a=b"1"))[1] == 1
    assert await client.get("a") == b"1"
    assert await kvs4.on(rank).get("a") is None
    assert (await listed(kvs4))["n"] == 1234
    await kvs4.remove("n")
    await settled()
    await fails(client.root(), errno.ENOTSUP)
    await fails(client.lookup("a"), errno.ENOTSUP)
    assert "n" not in await listed(kvs4)
    await kvs4.create("n", 1234)
    assert (await client.root())["rootseq"] == 0
    assert await client.get("a") is None


async def test_the_answers_to_what_is_wrong(kvs4: Any, fails: Any) -> None:
    rpc = kvs4.instance.flux().rpc
    good = {"namespace": "n", "rootref": EMPTY, "owner": -1, "flags": 0}
    await rpc("kvs.namespace-create", good)
    await fails(rpc("kvs.namespace-create", good), errno.EEXIST, "File exists")
    await fails(rpc("kvs.namespace-create", {**good, "namespace": "primary"}), errno.EEXIST)
    await fails(rpc("kvs.namespace-create", {**good, "rootref": "sha1-1"}), errno.EINVAL)
    for key in good:
        await fails(rpc("kvs.namespace-create", {**good, key: None}), errno.EPROTO)
    for name in ("primary", "Primary"):
        await fails(rpc("kvs.namespace-remove", {"namespace": name}), errno.ENOTSUP)
    await rpc("kvs.namespace-remove", {"namespace": "nosuch"})
    text = "this RPC is only available on rank 0"
    await fails(rpc("kvs.namespace-create", good, nodeid=2), errno.EPROTO, text)
    await fails(rpc("kvs.namespace-remove", good, nodeid=2), errno.EPROTO, text)
    guest = kvs4.guest(1234).flux
    for method in ("namespace-create", "namespace-remove", "namespace-list"):
        await fails(guest.rpc(f"kvs.{method}", good), errno.EPERM)
    await fails(rpc("kvs.getroot", {}), errno.EPROTO)


async def test_the_owner_may_be_the_instances(kvs: Any) -> None:
    await kvs.create("n", -1)
    await kvs.create("m", 0xFFFFFFFF)
    owners = await listed(kvs)
    assert owners["n"] == owners["m"] == owners["primary"]


async def test_a_namespace_may_begin_with_a_root(kvs: Any) -> None:
    root, _ = await kvs.on().put(a=b"1")
    payload = {"namespace": "copy", "rootref": root, "owner": -1, "flags": 0}
    await kvs.instance.flux().rpc("kvs.namespace-create", payload)
    copy = kvs.on(0, "copy")
    assert await copy.get("a") == b"1"
    await copy.put(a=b"2")
    assert await kvs.on().get("a") == b"1"


async def test_a_namespace_is_for_its_owner(kvs4: Any, fails: Any) -> None:
    await kvs4.create("theirs", 1234)
    for rank in (0, 2):
        for guest, denied in ((kvs4.guest(1234, rank, "theirs"), False), (99, True)):
            client = kvs4.guest(guest, rank, "theirs") if denied else guest
            for call in (client.root, lambda c=client: c.wait(0), lambda c=client: c.put(a=b"1")):
                if denied:
                    await fails(call(), errno.EPERM)
                else:
                    await call()


@pytest.mark.parametrize("rank", [0, 3])
async def test_waiting_for_a_version(kvs4: Any, rank: int) -> None:
    client = kvs4.on(rank)
    waits = {seq: asyncio.ensure_future(client.wait(seq)) for seq in (3, 1, 2)}
    writer = kvs4.on(1)
    for seq in (1, 2):
        root, _ = await writer.put(**{f"k{seq}": b"1"})
        assert await waits[seq] == {"rootseq": seq, "rootref": root}
        assert not waits[3].done()
    assert (await kvs4.stats(rank))["namespace"]["primary"]["#versionwaiters"] == 1
    assert (await client.wait(0))["rootseq"] == 2
    await writer.put(last=b"1")
    assert (await waits[3])["rootseq"] == 3


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_namespace_removed_while_it_is_waited_for(
    kvs4: Any, fails: Any, settled: Any, rank: int
) -> None:
    await kvs4.create("n")
    client = kvs4.on(rank, "n")
    await client.root()
    wait = asyncio.ensure_future(client.wait(5))
    await settled()
    await kvs4.remove("n")
    await fails(wait, errno.ENOTSUP)


async def test_a_namespace_removed_under_a_commit(kvs4: Any, fails: Any, settled: Any) -> None:
    await kvs4.create("n")
    client = kvs4.on(3, "n")
    await client.put(a=b"1")
    content = kvs4.instance.brokers[0].host.by_name("content")
    content.defer(True)
    commits = [asyncio.ensure_future(client.put(a=b"2"))]
    await settled()
    commits.append(asyncio.ensure_future(client.commit(ops.put("b", b"2"))))
    await settled()
    await kvs4.remove("n")
    content.defer(False)
    for commit in commits:
        await fails(commit, errno.ENOTSUP)
    assert (await kvs4.on(3).put(a=b"other"))[1] == 1


async def test_a_namespace_made_anew_does_not_follow_the_old_ones_events(
    kvs4: Any, settled: Any
) -> None:
    await kvs4.create("n")
    client = kvs4.on(3, "n")
    rank0 = kvs4.instance.flux()
    await client.put(a=b"1")
    payload = {"namespace": "n", "flags": 0, "ops": [ops.put("a", b"2")]}
    commit = rank0.rpc("kvs.commit", payload)
    rank0.rpc("kvs.namespace-remove", {"namespace": "n"})
    create = {"namespace": "n", "rootref": EMPTY, "owner": -1, "flags": 0}
    again = rank0.rpc("kvs.namespace-create", create)
    with pytest.raises(OSError):
        await commit
    await again
    await settled()
    for rank in (0, 3):
        assert (await kvs4.on(rank, "n").root())["rootseq"] == 0
    assert (await client.put(b=b"1"))[1] == 1


async def test_a_setroot_that_overtakes_the_answer_to_getroot(kvs4: Any, settled: Any) -> None:
    """The child asks its parent, whose answer is older than the event that comes first."""
    await kvs4.create("n")
    parent = kvs4.instance.brokers[1]
    await kvs4.on(1, "n").root()
    parent_kvs = parent.host.by_name("kvs")
    parent_kvs.defer(True)
    root = asyncio.ensure_future(kvs4.on(3, "n").root())
    await settled()
    _, seq = await kvs4.on(0, "n").put(a=b"1")
    await settled()
    parent_kvs.defer(False)
    assert (await root)["rootseq"] == seq
    assert await kvs4.on(3, "n").get("a") == b"1"


async def test_a_namespace_removed_before_the_answer_to_getroot(
    kvs4: Any, fails: Any, settled: Any
) -> None:
    await kvs4.create("n")
    await kvs4.on(1, "n").root()
    parent_kvs = kvs4.instance.brokers[1].host.by_name("kvs")
    parent_kvs.defer(True)
    root = asyncio.ensure_future(kvs4.on(3, "n").root())
    await settled()
    await kvs4.remove("n")
    await settled()
    parent_kvs.defer(False)
    await fails(root, errno.ENOTSUP)


async def test_a_follower_forgets_an_idle_namespace(kvs4: Any, settled: Any) -> None:
    await kvs4.create("n")
    client = kvs4.on(3, "n")
    await client.put(a=b"1")
    known = kvs4.instance.module("kvs", 3)._known.namespaces
    known.get("n").touched -= 4000
    kvs4.instance.pulse()
    await settled()
    assert "n" not in await listed(kvs4, 3)
    assert "n" in await listed(kvs4, 0)
    assert await client.get("a") == b"1"


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_paused_rank_falls_behind_and_catches_up(
    kvs4: Any, settled: Any, rank: int
) -> None:
    client, other = kvs4.on(rank), kvs4.on(1)
    await client.put(a=b"1")
    pause = {"namespace": "primary"}
    await client.flux.rpc("kvs.setroot-pause", pause)
    await client.flux.rpc("kvs.setroot-pause", pause)
    commit = asyncio.ensure_future(client.put(a=b"2"))
    _, seq = await other.put(b=b"1")
    await settled()
    assert not commit.done()
    if rank:
        assert (await client.root())["rootseq"] < seq
        assert await client.get("b") is None
    await client.flux.rpc("kvs.setroot-unpause", pause)
    await commit
    assert (await client.root())["rootseq"] >= seq
    assert await client.get("b") == b"1"
    await client.flux.rpc("kvs.setroot-unpause", pause)
