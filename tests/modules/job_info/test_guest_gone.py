"""The watch of a guest's log when the guest's namespace goes away as the watch begins."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.job.eventlog import Event
from fluxcore.job.jobid import kvs_key
from fluxcore.kvs import ops

JOBID = 38285606912
EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
NAMESPACE = f"job-{JOBID}"
LOG = [b'{"timestamp":1.0,"name":"init"}\n', b'{"timestamp":2.0,"name":"done"}\n']


class Guest:
    """A job that has started, of which the log ``guest.exec.eventlog`` is watched."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.flux: Flux = instance.flux()

    async def commit(self, key: str, *values: bytes, namespace: str = "primary") -> None:
        todo = [ops.append(key, value) for value in values]
        await self.flux.rpc("kvs.commit", {"namespace": namespace, "flags": 0, "ops": todo})

    async def event(self, name: str, **context: object) -> None:
        line = Event(3.0, name, context or None).encode()
        await self.commit(kvs_key(JOBID, "eventlog"), line)

    async def create(self) -> None:
        payload = {"namespace": NAMESPACE, "rootref": EMPTY, "owner": -1, "flags": 0}
        await self.flux.rpc("kvs.namespace-create", payload)

    async def remove(self) -> None:
        await self.flux.rpc("kvs.namespace-remove", {"namespace": NAMESPACE})

    async def keep(self) -> None:
        """What the job manager and job-exec write when a job has given up all it had."""
        await self.commit(kvs_key(JOBID, "guest.exec.eventlog"), *LOG)
        await self.event("release", ranks="all", final=True)

    def watch(self, rank: int, path: str, flags: int) -> "asyncio.Task[list[bytes]]":
        """All that a watch tells, once it has ended."""

        async def told() -> list[bytes]:
            payload = {"id": JOBID, "path": path, "flags": flags}
            flux = self.instance.client(rank).flux
            stream = flux.stream("job-info.eventlog-watch", payload, timeout=10)
            return [msg.json["event"].encode() async for msg in stream]

        return asyncio.ensure_future(told())


@pytest.fixture
async def guest(instance: Any, request: pytest.FixtureRequest) -> Guest:
    it = await instance(request.param)
    for name in ("content", "kvs", "kvs-watch", "job-info"):
        await it.load(name)
    guest = Guest(it)
    await guest.event("submit", userid=0, urgency=16, flags=0, version=1)
    await guest.event("start")
    return guest


WATCHES = [("guest.exec.eventlog", 0), ("guest.exec.eventlog", 1)]


@pytest.mark.parametrize("guest", [1, 3], indirect=True)
@pytest.mark.parametrize(("path", "flags"), WATCHES)
async def test_a_namespace_gone_before_the_watch_leads_to_what_is_kept(
    guest: Guest, path: str, flags: int, settled: Callable[[], Any]
) -> None:
    watch = guest.watch(guest.instance.size - 1, path, flags)
    await settled()
    await guest.keep()
    assert await watch == LOG


@pytest.mark.parametrize("guest", [1, 3], indirect=True)
@pytest.mark.parametrize(("path", "flags"), WATCHES)
async def test_what_was_told_live_is_not_told_again_when_the_release_comes_first(
    guest: Guest, path: str, flags: int, settled: Callable[[], Any]
) -> None:
    await guest.create()
    await guest.commit("exec.eventlog", LOG[0], namespace=NAMESPACE)
    watch = guest.watch(guest.instance.size - 1, path, flags)
    await settled()
    await guest.keep()
    await settled()
    await guest.remove()
    assert await watch == LOG
    stats = await guest.flux.rpc("kvs-watch.stats-get")
    assert stats.json["watchers"] == 0


@pytest.mark.parametrize("guest", [1], indirect=True)
async def test_a_watch_that_ends_early_leaves_none_of_its_own(
    guest: Guest, settled: Callable[[], Any]
) -> None:
    await guest.create()
    payload = {"id": JOBID, "path": "guest.exec.eventlog", "flags": 1}
    cancel = "job-info.eventlog-watch-cancel"
    async with guest.flux.stream("job-info.eventlog-watch", payload, cancel=cancel):
        await settled()
        assert (await guest.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 2
    await settled()
    assert (await guest.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 0
