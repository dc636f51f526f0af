"""job-info.update-watch."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

from support.job_store import GUEST, JOBID, JobStore
from support.refused import refused
from support.wired import OWNER

StartStore = Callable[..., Awaitable[JobStore]]
Settle = Callable[[], Awaitable[None]]

R = {"version": 1, "execution": {"starttime": 1.0, "expiration": 0.0}}


class Watch:
    """One watch: the expirations it has told of."""

    def __init__(
        self, store: JobStore, key: str = "R", userid: int = OWNER, rank: int = 0, flags: int = 0
    ) -> None:
        self.key = key
        self.told: list[Any] = []
        self.client = store.client(userid, rank)
        payload = {"id": JOBID, "key": key, "flags": flags}
        self.stream = self.client.flux.stream(
            "job-info.update-watch", payload, cancel="job-info.update-watch-cancel"
        )
        self._task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        async for answer in self.stream:
            value = answer.json[self.key]
            self.told.append(value["execution"]["expiration"] if self.key == "R" else value)

    async def end(self) -> list[Any]:
        await asyncio.wait_for(self._task, 10)
        return self.told

    async def failure(self) -> tuple[int | None, str | None]:
        return await refused(asyncio.wait_for(self._task, 10))


async def made(start: StartStore, size: int = 1) -> JobStore:
    store = await start(size)
    await store.submitted()
    await store.put("R", R)
    await store.put("jobspec", {"attributes": {"system": {"duration": 1.0}}})
    return store


async def test_updates_are_told(store: StartStore, settled: Settle) -> None:
    it = await made(store, 2)
    await it.event("resource-update", expiration=1.5)
    first = Watch(it, rank=1, userid=GUEST)
    await settled()
    assert first.told == [1.5]
    await it.event("resource-update", expiration=2.5)
    await settled()
    second = Watch(it, rank=1)
    await settled()
    assert (await it.stats(1))["update_watchers"] == 2
    await it.event("other", expiration=7.5)
    await it.event("resource-update", expiration=3.5)
    await it.event("clean")
    assert await first.end() == [1.5, 2.5, 3.5]
    assert await second.end() == [2.5, 3.5]
    assert (await it.stats(1))["update_watchers"] == 0
    assert await Watch(it).end() == [3.5]


async def test_jobspecs_are_told_of(store: StartStore, settled: Settle) -> None:
    it = await made(store)
    watch = Watch(it, "jobspec")
    await settled()
    await it.event("jobspec-update", **{"attributes.system.duration": 5.0})
    await it.event("clean")
    told = await watch.end()
    assert [each["attributes"]["system"]["duration"] for each in told] == [1.0, 5.0]


async def test_updates_that_came_during_the_lookup_are_not_told_twice(
    store: StartStore,
) -> None:
    it = await made(store)
    watches = [Watch(it) for _ in range(3)]
    await it.event("resource-update", expiration=1.5)
    await it.event("clean")
    for watch in watches:
        told = await watch.end()
        assert told in ([0.0, 1.5], [1.5])


async def test_only_owners_may_watch(store: StartStore, settled: Settle) -> None:
    it = await made(store)
    mine = Watch(it, userid=GUEST)
    other = Watch(it, userid=GUEST + 1)
    assert (await other.failure())[0] == errno.EPERM
    await settled()
    assert (await Watch(it, userid=GUEST + 1).failure())[0] == errno.EPERM
    await mine.client.gone("job-info")
    await settled()
    assert (await it.stats())["update_watchers"] == 0
    assert (await it.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 0


async def test_a_watch_is_cancelled(store: StartStore, settled: Settle) -> None:
    it = await made(store)
    watch = Watch(it)
    other = Watch(it)
    await settled()
    watch.stream.cancel()
    assert await watch.end() == [0.0]
    await it.event("resource-update", expiration=1.5)
    await settled()
    assert other.told == [0.0, 1.5]
    other.stream.cancel()
    await other.end()
    await settled()
    assert (await it.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 0


async def test_a_watch_is_cancelled_before_its_value_is_known(
    store: StartStore, settled: Settle
) -> None:
    it = await made(store)
    first = Watch(it)
    await asyncio.sleep(0)
    first.stream.cancel()
    second = Watch(it)
    await settled()
    assert second.told == [0.0]
    await it.event("resource-update", expiration=1.5)
    await settled()
    assert second.told == [0.0, 1.5]
    assert (await it.stats())["update_watchers"] == 1


async def test_what_cannot_be_watched(store: StartStore) -> None:
    it = await store()
    assert await Watch(it).failure() == (errno.ENOENT, "invalid job id")
    await it.submitted()
    assert await Watch(it).failure() == (errno.ENOENT, "R: key not found")
    await it.put("R", b"garbage")
    assert await Watch(it).failure() == (errno.EINVAL, "lookup value cannot be parsed")
    unsupported = errno.EINVAL, "update-watch unsupported key specified"
    assert await Watch(it, "x").failure() == unsupported
    invalid = errno.EPROTO, "update-watch request rejected with invalid flag"
    assert await Watch(it, flags=1).failure() == invalid
    payload = {"id": JOBID, "key": "R", "flags": 0}
    assert await refused(it.flux.rpc("job-info.update-watch", payload)) == (
        errno.EPROTO,
        "update-watch request rejected without streaming RPC flag",
    )
    assert (await it.stats())["update_watchers"] == 0


async def test_an_eventlog_goes_bad(store: StartStore, settled: Settle) -> None:
    it = await made(store)
    watch = Watch(it)
    await settled()
    await it.append("eventlog", b"garbage\n")
    assert await watch.failure() == (errno.EINVAL, "error parsing eventlog")


async def test_watches_end_with_the_module(store: StartStore, settled: Settle) -> None:
    it = await made(store)
    watch = Watch(it)
    await settled()
    await it.wired.remove("job-info")
    assert (await watch.failure())[0] == errno.ENOSYS
