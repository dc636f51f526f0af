"""Requests that mean nothing: each has an answer, and the services live on."""

import asyncio
import contextlib
import errno
import random
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.wire import constants as c

TOPICS = [
    "kvs.commit",
    "kvs.lookup",
    "kvs.lookup-plus",
    "kvs.getroot",
    "kvs.wait-version",
    "kvs.namespace-create",
    "kvs.namespace-remove",
    "kvs.setroot-pause",
    "kvs.setroot-unpause",
    "kvs-watch.lookup",
    "content.load",
    "content.store",
    "content.store-batch",
    "content.checkpoint-put",
    "content-backing.load",
    "content-backing.store",
    "content-backing.store-batch",
    "content-backing.checkpoint-put",
    "content-backing.mark",
    "content-backing.sweep",
    "content-backing.gc-info",
]
EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"


def any_value(rng: random.Random, depth: int = 0) -> Any:
    simple = [None, True, 0, -1, 1, 2**40, 1.5, "", ".", "a", "a..b", "primary", EMPTY, "\x00", "é"]
    if depth > 2 or rng.random() < 0.5:
        return rng.choice(simple)
    if rng.random() < 0.5:
        return [any_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    names = ["ver", "type", "data", "key", "flags", "dirent", "target", "namespace"]
    return {rng.choice(names): any_value(rng, depth + 1) for _ in range(rng.randint(0, 4))}


def treeobj(rng: random.Random) -> Any:
    kind = rng.choice(["val", "valref", "dir", "dirref", "symlink", "hdir"])
    data = rng.choice([any_value(rng), [EMPTY], {"target": "a"}, {}, "NDI=", "!!"])
    return {"ver": rng.choice([1, 1, 1, 2]), "type": kind, "data": data}


def payload(rng: random.Random) -> Any:
    if rng.random() < 0.1:
        return rng.choice([None, b"", b"{}", b"\0", b"[]\0", rng.randbytes(20), rng.randbytes(30)])
    likely: dict[str, list[Any]] = {
        "namespace": ["primary", "n", "m"],
        "flags": [0, 1, 2, 4, 8, 16, 32, 256 | 4, 512],
        "key": ["a", ".", "a.b", "", "a..b.", "self", "self.x"],
        "ops": [[ops.put("a", b"1")], [{"key": "a.b", "flags": 32, "dirent": treeobj(rng)}]],
        "rootdir": [treeobj(rng)],
        "rootseq": [0, 1],
        "rootref": [EMPTY],
        "owner": [-1, 0],
        "value": [{}, []],
        "epoch": [0, 1],
        "hashes": [[EMPTY], ["sha1-1"]],
        "cursor": [0, -1],
        "high_water": [0, 5],
        "delete_cap": [1, 0],
        "window": [1, 2**40],
    }
    return {
        name: rng.choice(values) if rng.random() < 0.85 else any_value(rng)
        for name, values in likely.items()
        if rng.random() < 0.9
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_asked(start_kvs: Any, settled: Any, seed: int) -> None:
    rng = random.Random(seed)
    kvs = await start_kvs(2, backing=True)
    await kvs.instance.load("kvs-watch")
    await kvs.on().commit(ops.symlink("self", "self"))
    answered: list[tuple[str, int, str | None]] = []
    flux = kvs.instance.client(rng.choice([0, 1])).flux
    calls = []
    for _ in range(1500):
        topic, what = rng.choice(TOPICS), payload(rng)
        flags = c.STREAMING if topic == "kvs-watch.lookup" and rng.random() < 0.5 else 0
        try:
            call = flux.rpc(topic, what, flags=flags, nodeid=rng.choice([c.NODEID_ANY, 0, 1]))
        except TypeError:
            continue  # no JSON: such a thing cannot be sent
        call.then(lambda msg, topic=topic: answered.append((topic, msg.errnum, msg.text)))
        calls.append(call)
    for _ in range(200):
        await settled()
    for namespace in ("primary", "n", "m"):
        for rank in (0, 1):
            unpause = {"namespace": namespace}
            with contextlib.suppress(OSError):
                await flux.rpc("kvs.setroot-unpause", unpause, nodeid=rank)
    faults = [answer for answer in answered if answer[1] == errno.EIO]
    assert not faults
    assert len({topic for topic, _, _ in answered}) == len(TOPICS)
    assert {errnum for _, errnum, _ in answered} >= {0, errno.EPROTO, errno.EINVAL}
    assert not [
        line for rank in (0, 1) for line in kvs.instance.logged(rank) if "Traceback" in line
    ]
    await asyncio.wait_for(kvs.on(1).commit(ops.put("alive", b"1")), 10)
    assert await kvs.on(1).get("alive") == b"1"
