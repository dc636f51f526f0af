"""job-info.lookup and update-lookup."""

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from support.job_store import GUEST, JOBID, JobStore
from support.refused import refused
from support.wired import OWNER

StartStore = Callable[..., Awaitable[JobStore]]

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
