import asyncio
import errno
import json
from pathlib import Path
from typing import Any

import pytest

from fluxcore.kvs import ops
from fluxcore.modules.kvs.options import checkpoint_period


async def checkpoints(kvs: Any) -> list[dict[str, Any]]:
    answer = (await kvs.instance.flux().rpc("content.checkpoint-get")).json
    value: list[dict[str, Any]] = answer["value"]
    return value


async def test_an_instance_started_again_has_its_keys(start_kvs: Any, tmp_path: Path) -> None:
    kvs = await start_kvs(backing=True, statedir=str(tmp_path))
    for n in range(5):
        await kvs.on().put(**{f"d.k{n}": b"%d" % n, "big": b"x" * 1000})
    await kvs.create("lost")
    root = await kvs.on().root()
    await kvs.instance.stop()
    again = await start_kvs(backing=True, statedir=str(tmp_path))
    assert await again.on().root() == root
    assert await again.on().get("d.k4") == b"4"
    assert await again.on().get("big") == b"x" * 1000
    assert any("restored KVS from checkpoint on 2" in line for line in again.instance.logged())
    assert (await again.on().put(more=b"1"))[1] == root["rootseq"] + 1


async def test_a_sync_is_on_disk_when_it_is_answered(start_kvs: Any, tmp_path: Path) -> None:
    kvs = await start_kvs(4, backing=True, statedir=str(tmp_path))
    await kvs.on().put(a=b"1")
    root, seq = await kvs.on(3).commit(ops.put("b", b"2"), flags=ops.SYNC)
    (checkpoint,) = await checkpoints(kvs)
    assert (checkpoint["version"], checkpoint["rootref"], checkpoint["sequence"]) == (1, root, seq)
    # The process is killed here: its files are what a new one finds.
    after = tmp_path / "after"
    after.mkdir()
    for file in tmp_path.glob("content.sqlite*"):
        (after / file.name).write_bytes(file.read_bytes())
    again = await start_kvs(backing=True, statedir=str(after))
    assert (await again.on().root())["rootref"] == root
    assert await again.on().get("b") == b"2"


async def test_a_sync_that_cannot_be(kvs: Any, fails: Any) -> None:
    client = kvs.on()
    await fails(client.commit(ops.put("a", b"1"), flags=ops.SYNC), errno.ENOSYS)
    assert await client.get("a") is None
    await kvs.create("n")
    await fails(kvs.on(0, "n").commit(flags=ops.SYNC), errno.EINVAL)
    assert (await client.put(a=b"1"))[1] == 1


async def test_the_module_reloaded_goes_on(start_kvs: Any) -> None:
    kvs = await start_kvs(backing=True)
    await kvs.on().put(a=b"1")
    await kvs.instance.remove("kvs")
    await kvs.instance.load("kvs")
    assert await kvs.on().get("a") == b"1"
    assert (await kvs.on().root())["rootseq"] == 1


async def test_without_a_backing_store_the_module_begins_anew(kvs: Any) -> None:
    await kvs.on().put(a=b"1")
    await kvs.instance.remove("kvs")
    await kvs.instance.load("kvs")
    assert await kvs.on().get("a") is None
    assert not [line for line in kvs.instance.logged() if "error" in line]


async def test_the_first_root_may_be_given(kvs: Any, fails: Any) -> None:
    root, _ = await kvs.on().put(a=b"1")
    await kvs.instance.remove("kvs")
    await kvs.instance.load("kvs", f"initial-rootref={root}")
    assert await kvs.on().get("a") == b"1"
    assert (await kvs.on().root())["rootseq"] == 0


@pytest.mark.parametrize("arg", ["initial-rootref=sha1-1", "transaction-merge=x", "nosuch"])
async def test_options_that_are_wrong(instance: Any, fails: Any, arg: str) -> None:
    it = await instance()
    await it.load("content")
    await fails(it.load("kvs", arg), errno.EINVAL, f"Unknown option `{arg}'")


async def test_a_checkpoint_that_cannot_be_read_is_not_overwritten(
    start_kvs: Any, fails: Any, tmp_path: Path
) -> None:
    kvs = await start_kvs(backing=True, statedir=str(tmp_path))
    await kvs.instance.remove("kvs")
    flux = kvs.instance.flux()
    await flux.rpc("content.checkpoint-put", {"value": {"version": 9, "rootref": "?"}})
    await fails(kvs.instance.load("kvs"), errno.EPROTO)
    assert (await checkpoints(kvs))[0] == {"version": 9, "rootref": "?"}


async def test_those_who_wait_when_the_module_is_removed(kvs: Any, fails: Any) -> None:
    wait = asyncio.ensure_future(kvs.on().wait(99))
    await asyncio.sleep(0)
    await kvs.instance.remove("kvs")
    await fails(wait, errno.ENOSYS)
    assert "failing pending 'kvs.wait-version' request" in kvs.instance.logged()


# -- checkpoints now and then --------------------------------------------------------------


async def test_the_primary_namespace_is_checkpointed_now_and_then(
    start_kvs: Any, fails: Any
) -> None:
    kvs = await start_kvs(backing=True)
    reload = kvs.instance.flux().rpc
    root, seq = await kvs.on().put(a=b"1")
    await reload("kvs.config-reload", {"kvs": {"checkpoint-period": "1ms"}})
    while True:
        try:
            (checkpoint,) = await checkpoints(kvs)
            break
        except FileNotFoundError:
            continue
    assert (checkpoint["rootref"], checkpoint["sequence"]) == (root, seq)
    assert (await kvs.on().root())["rootseq"] == seq
    await reload("kvs.config-reload", {})
    await fails(
        reload("kvs.config-reload", {"kvs": {"checkpoint-period": "soon"}}),
        errno.EINVAL,
        "invalid checkpoint-period config: soon",
    )


@pytest.mark.parametrize(
    ("conf", "period"),
    [({}, 0.0), ({"kvs": {}}, 0.0), ({"kvs": {"checkpoint-period": "5m"}}, 300.0)],
)
def test_the_configured_period(conf: dict[str, Any], period: float) -> None:
    assert checkpoint_period(conf) == period


@pytest.mark.parametrize("conf", [{"kvs": 1}, {"kvs": {"checkpoint-period": 5}}])
def test_a_period_that_is_wrong(conf: dict[str, Any]) -> None:
    with pytest.raises(OSError) as caught:
        checkpoint_period(conf)
    assert caught.value.errno == errno.EINVAL


# -- statistics ----------------------------------------------------------------------------


async def test_the_statistics_are_flux_cores(kvs: Any) -> None:
    await kvs.on().put(a=b"x" * 100, b=b"1")
    await kvs.on().put(a=b"x" * 100)
    stats = await kvs.stats()
    assert json.loads(json.dumps(stats["namespace"])) == {
        "primary": {
            "#versionwaiters": 0,
            "#no-op stores": 2,
            "#transactions": 0,
            "#readytransactions": 0,
            "store revision": 2,
        }
    }
    assert list(stats) == ["cache", "namespace", "transaction-opcount", "pending_requests"]
    assert list(stats["cache"]) == [
        "obj size total (MiB)",
        "obj size (KiB)",
        "#obj dirty",
        "#obj incomplete",
        "#faults",
    ]
    assert stats["transaction-opcount"]["commit"] == {
        "count": 2,
        "min": 1,
        "mean": 1.5,
        "stddev": pytest.approx(0.7071, abs=1e-4),
        "max": 2,
    }
    assert stats["cache"]["obj size total (MiB)"] > 0
