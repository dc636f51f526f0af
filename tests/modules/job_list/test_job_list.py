"""The module: lists, waits and counts."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fluxcore.job import states
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.kvs import ops
from fluxcore.modules.job_list import module as job_list_module
from fluxcore.wire import constants as c
from support.fake_journal import Journal, event_of
from support.jobspecs import make_jobspec
from support.refused import refused
from support.wired import OWNER, Client, Wired

StartInstance = Callable[..., Awaitable[Wired]]
Settle = Callable[[], Awaitable[None]]

GUEST = OWNER + 1


class World:
    """An instance with a journal and job-list."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        self.flux = wired.flux()
        self.journal = Journal(wired)

    async def load(self) -> "World":
        await self.wired.load("job-list", rank=0)
        return self

    async def rpc(self, topic: str, **payload: Any) -> Any:
        answer = await asyncio.wait_for(self.flux.rpc(f"job-list.{topic}", payload), 5)
        return answer.json if answer.has_payload else None

    async def ids(self, *, flux: Any = None, **payload: Any) -> list[int]:
        jobs = await self.list(flux=flux, **payload)
        return [job["id"] for job in jobs]

    async def list(self, *, flux: Any = None, **payload: Any) -> list[dict[str, Any]]:
        """The jobs of a list, which is streamed."""
        payload = {"max_entries": 0, "attrs": [], **payload}
        stream = (flux or self.flux).stream("job-list.list", payload, timeout=5)
        answers = [answer.json async for answer in stream]
        assert [answer.get("version") for answer in answers] == [1, *[None] * len(answers)][
            : len(answers)
        ]
        return [job for answer in answers for job in answer["jobs"]]

    def guest(self) -> Client:
        return self.wired.client(0, GUEST, c.ROLE_USER)


@pytest.fixture
async def world(instance: StartInstance) -> World:
    return await World(await instance(1)).load()


# -- lists ---------------------------------------------------------------------------------


async def test_jobs_are_listed_in_order(world: World) -> None:
    for jobid, until in enumerate(["clean", "start", "depend", "clean", "start", "priority"], 1):
        world.journal.live(jobid, until)
    world.journal.live(7, "submit")
    assert await world.ids() == [6, 3, 5, 2, 4, 1]
    assert await world.ids(max_entries=2) == [6, 3]
    assert await world.ids(constraint={"states": ["running"]}) == [5, 2]
    payload = {"max_entries": 0, "attrs": []}
    answer = (await world.flux.rpc("job-list.list", payload)).json
    assert answer == {"jobs": [{"id": jobid} for jobid in (6, 3, 5, 2, 4, 1)]}


async def test_attributes_are_listed(world: World) -> None:
    world.journal.live(1)
    (job,) = await world.list(attrs=["name", "state", "result", "nodelist", "t_run", "priority"])
    assert job == {
        "id": 1,
        "name": "prog",
        "state": states.INACTIVE,
        "result": states.COMPLETED,
        "nodelist": "host0",
        "t_run": 5.0,
        "priority": 16,
    }
    (everything,) = await world.list(attrs=["all"])
    known = await world.rpc("list-attrs")
    assert set(everything) - {"id"} < set(known["attrs"])


async def test_no_jobs_are_listed(world: World) -> None:
    assert await world.ids() == []
    answer = (await world.flux.rpc("job-list.list", {"max_entries": 0, "attrs": []})).json
    assert answer == {"jobs": []}


async def test_very_many_jobs_are_listed_in_parts(world: World, settled: Settle) -> None:
    for jobid in range(1, 1001):
        world.journal.tell(jobid, *[event_of(name, 1.0) for name in ("submit", "validate")])
    listing = asyncio.ensure_future(world.ids())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await world.rpc("stats-get"))["jobs"]["pending"] == 1000  # others get their turn
    assert not listing.done()
    assert await listing == list(range(1, 1001))
    client = world.wired.client()
    client.flux.stream("job-list.list", {"max_entries": 0, "attrs": []}).then(lambda _msg: None)
    await asyncio.sleep(0)
    await client.gone("job-list")
    await settled()


async def test_lists_may_be_wrong(world: World) -> None:
    world.journal.live(1)
    text = "invalid payload: max_entries < 0 not allowed"
    assert await refused(world.ids(max_entries=-1)) == (errno.EPROTO, text)
    for stream in (world.ids(attrs=["foo"]), world.rpc("list", max_entries=0, attrs=["foo"])):
        assert await refused(stream) == (errno.EINVAL, "foo is not a valid attribute")


# -- one job -------------------------------------------------------------------------------


async def test_a_job_is_looked_up(world: World) -> None:
    world.journal.live(1)
    assert await world.rpc("list-id", id=1, attrs=["userid"]) == {"job": {"id": 1, "userid": OWNER}}
    invalid = errno.EINVAL, "x is not a valid attribute"
    assert await refused(world.rpc("list-id", id=1, attrs=["x"])) == invalid
    required = errno.EPROTO, "invalid payload: id and attrs are required"
    assert await refused(world.rpc("list-id", id=1)) == required
    assert await refused(world.rpc("list-id", id="1", attrs=[])) == required
    array = errno.EPROTO, "invalid payload: attrs must be an array"
    assert await refused(world.rpc("list-id", id=1, attrs=5)) == array
    state = errno.EPROTO, "invalid payload: invalid state specified"
    assert await refused(world.rpc("list-id", id=1, attrs=[], state=1)) == state


async def test_a_state_is_waited_for(world: World, settled: Settle) -> None:
    world.journal.live(1, "depend")

    def ask(state: int) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(world.rpc("list-id", id=1, attrs=["state"], state=state))

    depend, run, cleanup = ask(states.DEPEND), ask(states.RUN), ask(states.CLEANUP)
    assert (await depend)["job"]["state"] == states.PRIORITY  # it has been in DEPEND
    await settled()
    assert not run.done()
    assert (await world.rpc("stats-get"))["idsync"] == {"lookups": 0, "waits": 1}
    world.journal.more(1, "priority", "alloc")
    assert (await run)["job"]["state"] == states.RUN
    assert not cleanup.done()
    world.journal.more(1, "exception")
    assert (await cleanup)["job"]["state"] == states.CLEANUP
    world.journal.more(1, "clean")
    # It will be in no other state any more.
    assert (await ask(states.SCHED))["job"]["state"] == states.INACTIVE
    assert (await world.rpc("stats-get"))["idsync"]["waits"] == 0


async def test_a_job_that_the_journal_has_not_told_of(instance: StartInstance) -> None:
    wired = await instance(1)
    for name in ("content", "kvs"):
        await wired.load(name)
    world = await World(wired).load()
    assert (await refused(world.rpc("list-id", id=1, attrs=[])))[0] == errno.ENOENT
    put = ops.put(f"{kvs_key(1)}.eventlog", b"x")
    await world.flux.rpc("kvs.commit", {"namespace": "primary", "flags": 0, "ops": [put]})
    asked = asyncio.ensure_future(world.rpc("list-id", id=1, attrs=[]))
    while not (await world.rpc("stats-get"))["idsync"]["waits"]:
        pass
    world.journal.live(1, "submit")
    world.journal.more(1, "validate")
    assert await asked == {"job": {"id": 1}}


async def test_those_who_wait_may_leave(world: World, settled: Settle) -> None:
    world.journal.live(1, "depend")
    client = world.wired.client()
    payload = {"id": 1, "attrs": [], "state": states.RUN}
    client.flux.rpc("job-list.list-id", payload).then(lambda _msg: None)
    asked = asyncio.ensure_future(world.rpc("list-id", **payload))
    await settled()
    await client.gone("job-list")
    await settled()
    world.journal.more(1, "priority", "alloc")
    assert await asked == {"job": {"id": 1}}


async def test_those_who_wait_are_told_when_the_module_goes(world: World, settled: Settle) -> None:
    world.journal.live(1, "depend")
    asked = asyncio.ensure_future(world.rpc("list-id", id=1, attrs=[], state=states.RUN))
    await settled()
    await world.wired.remove("job-list")
    assert (await refused(asked))[0] == errno.ENOSYS


# -- counts --------------------------------------------------------------------------------


async def test_jobs_are_counted(world: World) -> None:
    for jobid, until in enumerate(["clean", "start", "depend", "clean"], 1):
        world.journal.live(jobid, until)
    world.journal.more(2, "exception", "finish", "clean")
    world.flux.publish("job-purge-inactive", {"jobs": [1]})
    stats = await world.rpc("job-stats")
    assert stats == {
        "job_states": {
            "depend": 0,
            "priority": 1,
            "sched": 0,
            "run": 0,
            "cleanup": 0,
            "inactive": 2,
            "total": 3,
        },
        "successful": 1,
        "failed": 0,
        "canceled": 1,
        "timeout": 0,
        "inactive_purged": 1,
        "queues": [],
    }
    jobs = (await world.rpc("stats-get"))["jobs"]
    assert jobs == {"pending": 1, "running": 0, "inactive": 2}


async def test_counts_are_followed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_list_module, "_STATS_DELAY", 0.01)
    stream = world.flux.stream("job-list.job-stats", timeout=5)
    assert (await anext(stream)).json["job_states"]["total"] == 0
    assert (await world.rpc("stats-get"))["stats_watchers"] == 1
    world.journal.live(1, "depend")
    world.journal.live(2, "depend")
    assert (await anext(stream)).json["job_states"]["priority"] == 2  # one answer for all
    await world.wired.remove("job-list")
    with pytest.raises(OSError, match="not implemented"):
        await anext(stream)


async def test_queues_that_are_configured_are_counted(instance: StartInstance) -> None:
    wired = await instance(1)
    wired.brokers[0].conf["queues"] = {"debug": {}}
    world = await World(wired).load()
    (queue,) = (await world.rpc("job-stats"))["queues"]
    assert queue["name"] == "debug"


# -- access --------------------------------------------------------------------------------


async def test_anybody_may_look(world: World) -> None:
    world.journal.live(1)
    guest = world.guest()
    assert await world.ids(flux=guest.flux) == [1]
    await guest.gone()


async def test_others_jobs_may_be_hidden(instance: StartInstance) -> None:
    wired = await instance(1)
    wired.brokers[0].conf["access"] = {"private-mode": True}
    world = await World(wired).load()
    world.journal.live(1)
    world.journal.live(2, userid=GUEST)
    assert await world.ids() == [2, 1]
    guest = world.guest()
    assert await world.ids(flux=guest.flux) == [2]
    payload = {"id": 1, "attrs": []}
    assert (await refused(guest.flux.rpc("job-list.list-id", payload)))[0] == errno.ENOENT
    assert (await guest.flux.rpc("job-list.list-id", {"id": 2, "attrs": []})).json["job"]
    assert (await refused(guest.flux.rpc("job-list.job-stats")))[0] == errno.EPERM
    await guest.gone()


async def test_the_configuration_may_be_wrong(instance: StartInstance) -> None:
    wired = await instance(1)
    wired.brokers[0].conf["access"] = {"private-mode": "x"}
    text = "error reading \\[access\\] config: Expected boolean"
    with pytest.raises(OSError, match=text):
        await World(wired).load()


# -- the journal ---------------------------------------------------------------------------


async def test_requests_wait_until_all_jobs_are_known(
    instance: StartInstance, settled: Settle
) -> None:
    wired = await instance(1)
    world = World(wired)
    world.journal.complete = False
    world.journal.live(1)
    await world.load()
    asked = [
        asyncio.ensure_future(ask)
        for ask in (world.ids(), world.rpc("list-id", id=1, attrs=[]), world.rpc("list-attrs"))
    ]
    wrong = asyncio.ensure_future(world.rpc("list", max_entries=-1, attrs=[]))
    await settled()
    assert not any(ask.done() for ask in (*asked, wrong))
    world.journal.live(2)
    world.journal.tell(2**64 - 1)
    assert await asked[0] == [2, 1]
    assert await asked[1] == {"job": {"id": 1}}
    assert "userid" in (await asked[2])["attrs"]
    assert (await refused(wrong))[0] == errno.EPROTO


async def test_events_may_be_held_back(world: World) -> None:
    world.journal.live(1, "depend")
    await world.rpc("job-state-pause")
    await world.rpc("job-state-pause")
    world.journal.more(1, "priority")
    asked = asyncio.ensure_future(world.rpc("list-id", id=1, attrs=[], state=states.SCHED))
    assert await world.ids(constraint={"states": ["sched"]}) == []
    assert not asked.done()
    await world.rpc("job-state-unpause")
    assert await asked
    assert await world.ids(constraint={"states": ["sched"]}) == [1]


async def test_a_bad_entry_is_logged_and_passed_over(world: World, settled: Settle) -> None:
    world.journal.tell(5, event_of("start", 1.0))
    world.journal.tell(6, event_of("submit", 1.0, userid="x"), events="x")
    world.journal.live(1)
    await settled()
    assert await world.ids() == [1]
    assert "journal: event start: job 5 not in hash" in world.wired.logged()


@pytest.mark.parametrize(
    ("jobspec", "text"),
    [
        ({}, "Missing key (resources)"),
        ({**make_jobspec(), "tasks": 7}, "tasks must be a sequence"),
        (make_jobspec(system={"shell": 5}), "attributes.system.shell must be a mapping"),
        ({**make_jobspec(), "attributes": {"system": 5}}, "attributes.system must be a mapping"),
    ],
)
async def test_a_jobspec_that_nobody_has_checked(
    world: World, settled: Settle, jobspec: dict[str, Any], text: str
) -> None:
    """Its job is listed, without what the jobspec would say."""
    events = [event_of(name, 1.0) for name in ("submit", "validate", "depend", "priority")]
    world.journal.tell(7, *events, jobspec=jobspec)
    world.journal.live(1)
    await settled()
    assert sorted(await world.ids()) == [1, 7]
    assert f"job {f58(7)} invalid jobspec: {text}" in world.wired.logged()


async def test_the_module_ends_with_the_journal(world: World, settled: Settle) -> None:
    world.journal.watchers.end(errno.ENODATA)
    await settled()
    assert (await refused(world.rpc("list-attrs")))[0] == errno.ENOSYS
    world.wired.ended("job-list")
