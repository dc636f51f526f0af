"""job-info.eventlog-watch."""

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

from fluxcore.kvs import ops
from fluxcore.modules.job_info.kvs_events import is_clean, lines
from fluxcore.wire import constants as c
from fluxcore.wire.message import request
from support.job_store import GUEST, JOBID, JobStore
from support.refused import refused
from support.wired import OWNER

StartStore = Callable[..., Awaitable[JobStore]]
Settle = Callable[[], Awaitable[None]]

WAITCREATE, SENTINEL = 1, 2
EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
DENIED = (errno.EPERM, "Operation not permitted")


class Watch:
    """One watch: what it has told, and at last why there is no more."""

    def __init__(
        self, store: JobStore, path: str, flags: int = 0, userid: int = OWNER, rank: int = 0
    ) -> None:
        self.told: list[bytes | None] = []
        self.client = store.client(userid, rank)
        payload = {"id": JOBID, "path": path, "flags": flags}
        self.stream = self.client.flux.stream(
            "job-info.eventlog-watch", payload, cancel="job-info.eventlog-watch-cancel"
        )
        self._task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        async for answer in self.stream:
            self.told.append(answer.json["event"].encode() if answer.has_payload else None)

    async def end(self) -> list[bytes | None]:
        await asyncio.wait_for(self._task, 10)
        return self.told

    async def failure(self) -> tuple[int | None, str | None]:
        return await refused(asyncio.wait_for(self._task, 10))


async def in_namespace(store: JobStore, key: str, line: bytes) -> bytes:
    payload = {"namespace": f"job-{JOBID}", "flags": 0, "ops": [ops.append(key, line)]}
    await store.flux.rpc("kvs.commit", payload)
    return line


async def make_namespace(store: JobStore) -> None:
    payload = {"namespace": f"job-{JOBID}", "rootref": EMPTY, "owner": GUEST, "flags": 0}
    await store.flux.rpc("kvs.namespace-create", payload)


async def remove_namespace(store: JobStore) -> None:
    await store.flux.rpc("kvs.namespace-remove", {"namespace": f"job-{JOBID}"})


# -- logs of the job -----------------------------------------------------------------------


async def test_the_eventlog_is_told_until_the_job_is_over(
    store: StartStore, settled: Settle
) -> None:
    it = await store(3)
    log: list[bytes | None] = [await it.submitted(), await it.event("start")]
    watches = [Watch(it, "eventlog", rank=rank) for rank in range(3)]
    await settled()
    assert all(watch.told == log for watch in watches)
    assert (await it.stats(2))["watchers"] == 1
    log.append(await it.event("clean"))
    for watch in watches:
        assert await watch.end() == log
    assert (await it.stats(2))["watchers"] == 0
    assert await Watch(it, "eventlog").end() == log


async def test_many_events_at_once_are_told_one_by_one(store: StartStore) -> None:
    it = await store()
    first = await it.submitted()
    log = b"".join([b'{"timestamp":1.0,"name":"x%d"}\n' % n for n in range(100)])
    clean = b'{"timestamp":1.0,"name":"clean"}\n'
    await it.put("eventlog", first + log + clean)
    assert await Watch(it, "eventlog").end() == [first, *log.splitlines(keepends=True), clean]


async def test_an_eventlog_may_be_waited_for(store: StartStore, settled: Settle) -> None:
    it = await store()
    assert (await Watch(it, "eventlog").failure())[0] == errno.ENOENT
    watch = Watch(it, "eventlog", WAITCREATE)
    await settled()
    log = [await it.submitted(), await it.event("clean")]
    assert await watch.end() == log


async def test_what_has_been_there_is_parted_from_what_comes(
    store: StartStore, settled: Settle
) -> None:
    it = await store()
    first = await it.submitted()
    watch = Watch(it, "eventlog", SENTINEL)
    await settled()
    assert watch.told == [first, None]
    last = await it.event("clean")
    assert await watch.end() == [first, None, last]
    assert await Watch(it, "eventlog", SENTINEL).end() == [first, last, None]


async def test_another_log(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    assert (await Watch(it, "other").failure())[0] == errno.ENOENT
    watch = Watch(it, "other", WAITCREATE)
    await settled()
    line = await it.event("clean", "other")
    await settled()
    assert watch.told == [line]  # such a log goes on
    watch.stream.cancel()
    assert await watch.end() == [line]


async def test_only_owners_may_watch(store: StartStore, settled: Settle) -> None:
    it = await store()
    first = await it.submitted()
    await it.event("x", "other")
    for path in ("eventlog", "other", "guest.output"):
        for _ in range(2):
            assert await Watch(it, path, userid=GUEST + 1).failure() == DENIED
    watch = Watch(it, "eventlog", userid=GUEST)
    await settled()
    assert watch.told == [first]
    other = Watch(it, "other", userid=GUEST)
    await settled()
    assert len(other.told) == 1
    assert (await it.stats())["watchers"] == 2
    for each in (watch, other):
        await each.client.gone("job-info")
    await settled()
    assert (await it.stats())["watchers"] == 0


async def test_a_watch_is_cancelled_by_its_owner(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "eventlog")
    await settled()
    it.flux.notify("job-info.eventlog-watch-cancel", {"matchtag": 5})  # there is none
    watch.stream.cancel()
    assert len(await watch.end()) == 1
    await settled()
    assert (await it.stats())["watchers"] == 0
    assert (await it.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 0


async def test_requests_are_checked(store: StartStore) -> None:
    it = await store()
    await it.submitted()
    payload = {"id": JOBID, "path": "eventlog", "flags": 0}
    topic = "job-info.eventlog-watch"
    assert await refused(it.flux.rpc(topic, payload)) == (
        errno.EPROTO,
        "eventlog-watch request rejected without streaming RPC flag",
    )
    text = "eventlog-watch request rejected with invalid flag"
    assert await Watch(it, "eventlog", 4).failure() == (errno.EPROTO, text)
    assert (await refused(it.flux.rpc(topic, {"id": "x"})))[0] == errno.EPROTO


async def test_a_matchtag_names_one_watch(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "eventlog")
    await settled()
    again = request(
        "job-info.eventlog-watch",
        {"id": JOBID, "path": "eventlog", "flags": 0},
        flags=c.STREAMING,
        matchtag=watch.stream.tag,
    )
    watch.client.flux.core.send(again)
    assert await watch.failure() == (errno.EINVAL, "Invalid argument")
    await settled()
    assert (await it.flux.rpc("kvs-watch.stats-get")).json["watchers"] == 1


async def test_a_log_that_is_overwritten(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "eventlog")
    await settled()
    await it.put("eventlog", b"")
    assert (await watch.failure())[0] == errno.EINVAL


async def test_watches_end_with_the_module(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "eventlog")
    await settled()
    await it.wired.remove("job-info")
    assert (await watch.failure())[0] == errno.ENOSYS


# -- logs of the guest ---------------------------------------------------------------------


async def test_a_guests_log_is_followed_to_where_it_is_kept(
    store: StartStore, settled: Settle
) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "guest.output", WAITCREATE | SENTINEL, userid=GUEST)
    await settled()
    stats = await it.stats()
    assert (stats["watchers"], stats["guest_watchers"]) == (1, 1)
    await make_namespace(it)
    await it.event("start")
    one = await in_namespace(it, "output", b'{"timestamp":1.0,"name":"one"}\n')
    await settled()
    assert watch.told[-1] == one
    two = b'{"timestamp":1.0,"name":"two"}\n'
    await it.put("guest.output", one + two)
    await it.event("release", ranks="all", final=True)
    await remove_namespace(it)
    told = await watch.end()
    assert [line for line in told if line is not None] == [one, two]
    assert told.count(None) == 1


async def test_a_guests_log_that_is_kept_ends(store: StartStore) -> None:
    it = await store()
    await it.submitted()
    line = b'{"timestamp":1.0,"name":"one"}\n'
    await it.put("guest.output", line)
    await it.event("start")
    await it.event("release", ranks="all", final=True)
    assert await Watch(it, "guest.output").end() == [line]
    assert await Watch(it, "guest.output", SENTINEL).end() == [line, None]
    assert (await Watch(it, "guest.nosuch").failure())[0] == errno.ENOENT
    assert (await Watch(it, "guest.nosuch", WAITCREATE).failure())[0] == errno.ENOENT


async def test_a_job_that_never_starts_has_no_guest(store: StartStore, settled: Settle) -> None:
    it = await store()
    await it.submitted()
    watch = Watch(it, "guest.output")
    await settled()
    await it.event("clean")
    assert await watch.end() == []


async def test_a_job_that_is_not_there_has_no_guest(store: StartStore) -> None:
    it = await store()
    assert (await Watch(it, "guest.output").failure())[0] == errno.ENOENT


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\n", [b"a\n"]),
        (b"a\nb\n", [b"a\n", b"b\n"]),
        (b"a\nb", [b"a\n"]),
        (b"b", []),
    ],
)
def test_events_are_whole_lines(data: bytes, expected: list[bytes]) -> None:
    assert lines(data) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"timestamp":1.0,"name":"clean"}\n', True),
        (b'{"timestamp":1.0,"name":"x","context":{"y":"clean"}}\n', False),
        (b'"clean"', False),
        (b'{"clean"', False),
    ],
)
def test_the_last_event(line: bytes, expected: bool) -> None:
    assert is_clean(line) is expected
