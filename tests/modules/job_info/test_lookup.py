"""job-info.lookup and update-lookup."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from fluxcore.kvs import ops
from support.job_store import GUEST, JOBID, JobStore
from support.refused import refused
from support.wired import OWNER

StartStore = Callable[..., Awaitable[JobStore]]

EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
R = {"version": 1, "execution": {"starttime": 1.0, "expiration": 0.0}}
JOBSPEC = {"version": 1, "attributes": {"system": {"duration": 5.0}}}


async def look_up(
    store: JobStore, *keys: object, flags: int = 0, userid: int = OWNER, rank: int = 0, **more: Any
) -> dict[str, Any]:
    client = store.client(userid, rank)
    payload = {"id": JOBID, "keys": list(keys), "flags": flags, **more}
    try:
        return dict((await client.flux.rpc("job-info.lookup", payload)).json)
    finally:
        await client.gone()


async def made(start: StartStore, size: int = 1) -> JobStore:
    store = await start(size)
    await store.submitted()
    await store.put("R", R)
    await store.put("jobspec", JOBSPEC)
    return store


async def test_keys_are_looked_up(store: StartStore) -> None:
    it = await made(store, 3)
    await it.put("other", b"\x00\xff text")
    for rank in range(3):
        answer = await look_up(it, "R", "jobspec", "R", rank=rank)
        assert list(answer) == ["id", "R", "jobspec"]
        assert orjson.loads(answer["R"]) == R
    assert (await look_up(it, "other"))["other"] == "\x00\ufffd text"
    assert await look_up(it) == {"id": JOBID}


async def test_values_are_decoded_and_brought_up_to_date(store: StartStore) -> None:
    it = await made(store)
    await it.event("resource-update", expiration=9.5)
    await it.event("jobspec-update", **{"attributes.system.duration": 7.0})
    await it.event("resource-update", expiration=10.5)
    answer = await look_up(it, "R", "jobspec", "eventlog", flags=1)
    assert (answer["R"], answer["jobspec"]) == (R, JOBSPEC)
    assert answer["eventlog"].startswith('{"timestamp":3.0,"name":"submit"')
    answer = await look_up(it, "R", "jobspec", flags=3)
    assert answer["R"]["execution"] == {"starttime": 1.0, "expiration": 10.5}
    assert answer["jobspec"]["attributes"]["system"]["duration"] == 7.0
    answer = await look_up(it, "R", flags=2)
    assert orjson.loads(answer["R"])["execution"]["expiration"] == 10.5


async def test_only_owners_may_look(store: StartStore) -> None:
    it = await made(store)
    denied = (errno.EPERM, "access is restricted to job/instance owner")
    for _ in range(2):  # the owner is known the second time
        assert (await look_up(it, "R", userid=GUEST))["id"] == JOBID
        assert await refused(look_up(it, "R", userid=GUEST + 1)) == denied
        assert (await look_up(it, "R", userid=OWNER))["id"] == JOBID


async def test_what_is_not_there(store: StartStore) -> None:
    it = await store()
    missing = errno.ENOENT, "invalid job id"
    assert await refused(look_up(it, "R")) == missing
    assert await refused(look_up(it, "R", userid=GUEST)) == missing
    await it.submitted()
    missing = errno.ENOENT, "nosuch: key not found"
    assert await refused(look_up(it, "nosuch", userid=GUEST)) == missing
    assert await refused(look_up(it, "nosuch")) == missing
    assert await refused(look_up(it, "eventlog", "nosuch")) == missing
    await it.put("empty", b"")
    assert await refused(look_up(it, "empty")) == (
        errno.EPROTO,
        "empty: value is unexpectedly empty",
    )
    await it.put("dir.x", b"x")
    assert (await refused(look_up(it, "dir")))[0] == errno.EISDIR


NAMESPACE = f"job-{JOBID}"
INIT = b'{"timestamp":1.0,"name":"init"}\n'


async def started(start: StartStore, size: int) -> JobStore:
    """A job that has written nothing yet."""
    it = await start(size)
    await it.submitted()
    await it.event("start")
    payload = {"namespace": NAMESPACE, "rootref": EMPTY, "owner": -1, "flags": 0}
    await it.flux.rpc("kvs.namespace-create", payload)
    return it


@pytest.mark.parametrize("size", [1, 3])
async def test_first_records_are_waited_for(
    store: StartStore, size: int, settled: Callable[[], Awaitable[None]]
) -> None:
    it = await started(store, size)
    asked = asyncio.ensure_future(look_up(it, "guest.exec.eventlog", rank=size - 1))
    missing = asyncio.ensure_future(refused(look_up(it, "guest.nosuch", rank=size - 1)))
    await settled()
    assert not asked.done()
    todo = [ops.append("exec.eventlog", INIT)]
    await it.flux.rpc("kvs.commit", {"namespace": NAMESPACE, "flags": 0, "ops": todo})
    assert (await asked)["guest.exec.eventlog"].encode() == INIT
    assert await missing == (errno.ENOENT, "guest.nosuch: key not found")


@pytest.mark.parametrize("size", [1, 3])
async def test_records_that_are_written_at_the_end_are_waited_for(
    store: StartStore, size: int, settled: Callable[[], Awaitable[None]]
) -> None:
    it = await started(store, size)
    asked = asyncio.ensure_future(look_up(it, "guest.exec.eventlog", rank=size - 1))
    await settled()
    await it.append("guest.exec.eventlog", INIT)
    await it.flux.rpc("kvs.namespace-remove", {"namespace": NAMESPACE})
    assert (await asked)["guest.exec.eventlog"].encode() == INIT


async def test_nothing_is_waited_for_before_a_job_starts(store: StartStore) -> None:
    it = await store()
    await it.submitted()
    missing = errno.ENOENT, "guest.exec.eventlog: key not found"
    assert await refused(look_up(it, "guest.exec.eventlog")) == missing
    await it.append("eventlog", b"garbage\n")
    assert await refused(look_up(it, "guest.exec.eventlog")) == missing


async def test_a_log_that_does_not_begin_as_logs_do(store: StartStore) -> None:
    it = await store()
    await it.event("start")
    assert await refused(look_up(it, "eventlog")) == (errno.EPROTO, "error parsing eventlog")
    await it.put("eventlog", b"garbage\n")
    assert await refused(look_up(it, "eventlog")) == (errno.EPROTO, "error parsing eventlog")


async def test_requests_are_checked(store: StartStore) -> None:
    it = await made(store)
    invalid = errno.EPROTO, "lookup request rejected with invalid flag"
    assert await refused(look_up(it, "R", flags=4)) == invalid
    assert (await refused(look_up(it, 5)))[0] == errno.EPROTO
    assert (await refused(look_up(it, id="x")))[0] == errno.EPROTO


async def test_updates_that_cannot_be_applied(store: StartStore) -> None:
    it = await made(store)
    await it.put("R", b"garbage")
    assert await refused(look_up(it, "R", flags=1)) == (
        errno.EINVAL,
        "R: error applying eventlog to original value: Invalid argument",
    )


async def test_updated_r_is_looked_up(store: StartStore) -> None:
    it = await made(store)
    await it.event("resource-update", expiration=9.5)

    async def ask(key: str = "R", flags: int = 0) -> dict[str, Any]:
        payload = {"id": JOBID, "key": key, "flags": flags}
        return dict((await it.flux.rpc("job-info.update-lookup", payload)).json)

    answer = await ask()
    assert answer["id"] == JOBID
    assert answer["R"]["execution"]["expiration"] == 9.5
    assert await refused(ask("jobspec")) == (
        errno.EINVAL,
        "update-lookup unsupported key specified",
    )
    assert await refused(ask(flags=1)) == (
        errno.EPROTO,
        "update-lookup request rejected with invalid flag",
    )


async def test_owners_are_remembered_but_not_all(
    store: StartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fluxcore.modules.job_info import access

    monkeypatch.setattr(access, "_REMEMBERED", 1)
    it = await made(store)
    assert (await look_up(it, "R", userid=GUEST))["id"] == JOBID
    payload = {"id": JOBID + 1, "keys": ["R"], "flags": 0}
    assert (await refused(it.flux.rpc("job-info.lookup", payload)))[0] == errno.ENOENT
    assert (await look_up(it, "R", userid=GUEST))["id"] == JOBID
    assert (await it.stats())["lookups"] == 0
