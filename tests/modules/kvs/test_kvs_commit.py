import asyncio
import errno
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import make_dirref, make_symlink
from fluxcore.wire.message import Message


async def as_task(call: Any) -> Any:
    return await call


async def test_a_commit_is_answered_with_its_root(kvs: Any) -> None:
    client = kvs.on()
    assert await client.put(a=b"42") == ("sha1-79dd254ffe5bc4f58474bf1c560edc06ce5f586e", 1)
    assert await client.commit(ops.put("x.y.z", b"deep")) == (
        "sha1-fdf750c267fd50ed261b2eb5e6e201bc8e7ec79f",
        2,
    )
    assert await client.get("a") == b"42"
    assert await client.get("x.y.z") == b"deep"


@pytest.mark.parametrize("todo", [[], [ops.unlink("nosuch")], [ops.put("a", b"1")]])
async def test_a_commit_that_changes_nothing_is_a_version_too(kvs: Any, todo: Any) -> None:
    client = kvs.on()
    root, seq = await client.put(a=b"1")
    assert await client.commit(*todo) == (root, seq + 1)


async def test_every_rank_commits_and_reads_its_own_writes(kvs4: Any) -> None:
    clients = [kvs4.on(rank) for rank in range(4)]
    for n in range(12):
        client = clients[n % 4]
        root, seq = await client.put(**{f"k{n}": b"%d" % n})
        assert seq == n + 1
        assert await client.get(f"k{n}") == b"%d" % n
        assert (await client.root())["rootref"] == root
    for client in clients:
        await client.wait(12)
        assert [await client.get(f"k{n}") for n in range(12)] == [b"%d" % n for n in range(12)]


async def test_commits_of_one_turn_are_one_version(kvs4: Any) -> None:
    clients = [kvs4.on(0) for _ in range(5)]
    commits = [client.put(**{f"k{n}": b"1"}) for n, client in enumerate(clients)]
    answers = await asyncio.gather(*commits)
    assert {seq for _, seq in answers} == {1}
    assert len(set(answers)) == 1
    assert [await clients[0].get(f"k{n}") for n in range(5)] == [b"1"] * 5


async def test_commits_that_may_not_be_merged(kvs: Any) -> None:
    client = kvs.on()
    commits = [client.commit(ops.put(f"k{n}", b"1"), flags=ops.NO_MERGE) for n in range(3)]
    assert [seq for _, seq in await asyncio.gather(*commits)] == [1, 2, 3]


async def test_merging_turned_off(start_kvs: Any) -> None:
    kvs = await start_kvs(1, "transaction-merge=0")
    client = kvs.on()
    answers = await asyncio.gather(*(client.put(**{f"k{n}": b"1"}) for n in range(3)))
    assert [seq for _, seq in answers] == [1, 2, 3]


async def test_a_commit_that_fails_takes_none_with_it(kvs: Any) -> None:
    client = kvs.on()
    await client.put(d_a=b"1")
    results = await asyncio.gather(
        client.put(k1=b"1"),
        client.commit(ops.append("d", b"no directory can be appended to")),
        client.put(k2=b"2"),
        return_exceptions=True,
    )
    assert isinstance(results[1], IsADirectoryError)
    assert [results[0][1], results[2][1]] == [2, 3]
    assert [await client.get("k1"), await client.get("k2")] == [b"1", b"2"]


async def test_appends_of_many_ranks_are_all_there(kvs4: Any) -> None:
    async def append(rank: int) -> None:
        client = kvs4.on(rank)
        for n in range(10):
            await client.commit(ops.append("log", b"%d.%d\n" % (rank, n)))

    await asyncio.gather(*(append(rank) for rank in range(4)))
    lines = (await kvs4.on().get("log")).split()
    assert sorted(lines) == sorted(b"%d.%d" % (rank, n) for rank in range(4) for n in range(10))
    for rank in range(4):
        mine = [line for line in lines if line.startswith(b"%d" % rank)]
        assert mine == [b"%d.%d" % (rank, n) for n in range(10)]


@pytest.mark.parametrize("rank", [0, 3])
async def test_a_failure_reaches_the_rank_it_belongs_to(kvs4: Any, fails: Any, rank: int) -> None:
    client = kvs4.on(rank)
    await client.put(a_b=b"1")
    before = await kvs4.on(0).root()
    for todo, errnum in (
        (ops.append("a", b"x"), errno.EISDIR),
        (ops.put(".", b"x"), errno.EINVAL),
        (ops.put_treeobj("x", {"ver": 1, "type": "nosuch", "data": ""}), errno.EINVAL),
        ({"key": "x"}, errno.EPROTO),
    ):
        await fails(client.commit(todo), errnum)
    await client.commit(ops.symlink("self", "self"))
    await fails(client.commit(ops.put("self.a", b"x")), errno.ELOOP)
    assert (await kvs4.on(0).root())["rootseq"] == before["rootseq"] + 1


@pytest.mark.parametrize("rank", [0, 3])
async def test_an_unknown_namespace(kvs4: Any, fails: Any, rank: int) -> None:
    await fails(kvs4.on(rank, "nosuch").put(a=b"1"), errno.ENOTSUP)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"namespace": "primary", "flags": 0},
        {"namespace": "primary", "flags": 0, "ops": {}},
        {"namespace": "primary", "flags": "0", "ops": []},
        {"namespace": 1, "flags": 0, "ops": []},
    ],
)
async def test_what_is_no_commit(kvs: Any, fails: Any, payload: Any) -> None:
    await fails(kvs.instance.flux().rpc("kvs.commit", payload), errno.EPROTO)


async def test_guests_may_not_commit_references(kvs4: Any, fails: Any) -> None:
    await kvs4.create("theirs", 1234)
    guest = kvs4.guest(1234, 3, "theirs")
    await guest.put(a=b"1")
    assert await guest.get("a") == b"1"
    root = (await guest.root())["rootref"]
    for obj, kind in ((make_dirref(root), "dirref"), (make_symlink("a"), "symlink")):
        await fails(
            guest.commit(ops.put_treeobj("b", obj)),
            errno.EPERM,
            f"guests may not commit {kind} objects",
        )
    await fails(kvs4.guest(1234).put(a=b"1"), errno.EPERM)
    await fails(kvs4.guest(99, 2, "theirs").put(a=b"1"), errno.EPERM)


async def test_guests_may_not_relay(kvs: Any, fails: Any) -> None:
    payload = {"namespace": "primary", "flags": 0, "ops": [], "name": "x"}
    await fails(kvs.guest(1234).flux.rpc("kvs.relaycommit", payload), errno.EPERM)


async def test_the_setroot_event(kvs: Any, settled: Any) -> None:
    events: list[Message] = []
    await kvs.create("n", 77)
    flux = kvs.instance.flux()
    broker = kvs.instance.brokers[0]
    broker.router.subscribers.add("kvs.namespace-n", broker.own)
    flux.core.add_event_handler("kvs.namespace-n", events.append)
    client = kvs.on(0, "n")
    root, _ = await client.commit(ops.put("b..c", b"1"), ops.unlink("a"), ops.put("b.c", b"2"))
    with pytest.raises(OSError):
        await client.commit(ops.put(".", b"1"))
    await settled()
    assert [(event.topic, event.json) for event in events] == [
        (
            "kvs.namespace-n-setroot",
            {
                "namespace": "n",
                "rootseq": 1,
                "rootref": root,
                "names": ["transaction_req.0.0"],
                "keys": {"b.c": None, "a": None},
                "owner": 77,
            },
        ),
        (
            "kvs.namespace-n-error",
            {"namespace": "n", "names": ["transaction_req.0.1"], "errnum": 22},
        ),
    ]
    assert all(event.flags & 0x20 for event in events)


async def test_a_blob_that_the_content_service_refuses(kvs: Any, fails: Any) -> None:
    await kvs.instance.remove("kvs")
    await kvs.instance.remove("content")
    await kvs.instance.load("content", "blob-size-limit=1000")
    await kvs.instance.load("kvs")
    client = kvs.on()
    await client.put(a=b"1")
    await fails(client.put(b=b"x" * 2000), errno.EFBIG)
    assert (await client.put(c=b"1"))[1] == 2
    assert await client.get("b") is None


async def test_a_stored_directory_that_is_gone(kvs: Any, fails: Any) -> None:
    client = kvs.on()
    await client.commit(ops.put_treeobj("void", make_dirref("sha1-" + "1" * 40)))
    before = (await kvs.stats())["cache"]["#faults"]
    await fails(client.put(void_a=b"1"), errno.ENOENT)
    await fails(client.lookup("void.a"), errno.ENOENT)
    await client.put(b=b"still works")
    assert (await kvs.stats())["cache"]["#faults"] == before + 2


@pytest.mark.parametrize("rank", [0, 3])
async def test_what_is_too_deep_to_be_sent_on(kvs4: Any, fails: Any, rank: int) -> None:
    """JSON may be nested deeper than it can be written."""
    depth = 400
    ops = b'{"ver":1,"type":"dir","data":{"d":' * depth + b"null" + b"}}" * depth
    data = b'{"namespace":"primary","flags":0,"ops":[{"key":"a","flags":0,"dirent":%b}]}\0' % ops
    client = kvs4.on(rank)
    await fails(client.flux.rpc("kvs.commit", data), errno.EPROTO)
    assert (await kvs4.stats(rank))["pending_requests"] == 0
    await client.put(a=b"1")
