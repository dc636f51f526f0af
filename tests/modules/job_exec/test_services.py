"""What can be asked of job-exec about running jobs."""

from collections.abc import Awaitable, Callable

import pytest

from fluxcore.wire import constants as c
from support.fake_job_manager import FakeJobManager, Job
from support.jobspecs import make_jobspec, make_r
from support.wired import OWNER

StartExec = Callable[..., Awaitable[FakeJobManager]]


async def running(jm: FakeJobManager, ranks: tuple[int, ...] = (0,)) -> Job:
    jobspec = make_jobspec("cat", nodes=len(ranks), tasks=len(ranks))
    job = await jm.start(jobspec, make_r(ranks))
    await job.until("start")
    return job


async def ended(jm: FakeJobManager, job: Job) -> None:
    jm.publish_exception(job)
    await job.over()


async def test_counts_and_options(manager: StartExec) -> None:
    jm = await manager(2, "kill-timeout=7s")
    job = await running(jm, (0, 1))
    stats = (await jm.flux.rpc("job-exec.stats-get")).json
    (mine,) = stats.pop("jobs").values()
    assert stats == {
        "method": "bulk-exec",
        "kill-timeout": 7.0,
        "term-signal": "SIGTERM",
        "kill-signal": "SIGKILL",
        "max-kill-count": 8,
        "max-kill-timeout": -1.0,
        "effective-max-kill-timeout": 776.0,
        "shells": 1,
    }
    assert mine == {
        "implementation": "bulk-exec",
        "ns": f"job-{job.id}",
        "critical_ranks": "0-1",
        "multiuser": 0,
        "has_namespace": 1,
        "exception_in_progress": 0,
        "started": 1,
        "running": 1,
        "finalizing": 0,
        "expiration": 0.0,
        "kill_timeout": 7.0,
        "total_shells": 2,
        "active_shells": 2,
        "active_ranks": "0-1",
    }
    await ended(jm, job)
    stats = (await jm.flux.rpc("job-exec.stats-get", nodeid=1)).json
    assert stats["jobs"] == {}
    assert stats["shells"] == 0


async def test_a_lost_rank_may_be_one_that_is_not_needed(manager: StartExec) -> None:
    jm = await manager(3)
    job = await running(jm, (0, 1, 2))
    await jm.flux.rpc("job-exec.critical-ranks", {"id": job.id, "ranks": "0-1"})
    await jm.wired.remove("job-exec", 2)
    assert (await job.until("exception"))["type"] == "node-failure"
    assert job.exceptions == [("node-failure", 2, "node failure on host2 (shell rank 2)")]
    service = await jm.shell_service(job)
    await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "all", "eof": True})
    assert await job.over() == 0
    assert len(job.exceptions) == 1


async def test_critical_ranks_are_for_the_owner(manager: StartExec) -> None:
    jm = await manager()
    job = await running(jm)
    guest = jm.wired.client(0, OWNER + 1, c.ROLE_USER)
    for topic in ("job-exec.critical-ranks", "job-exec.shell-barrier"):
        with pytest.raises(PermissionError):
            await guest.flux.rpc(topic, {"id": job.id, "ranks": "0", "rank": 0})
    await guest.gone()
    with pytest.raises(OSError, match="Invalid argument"):
        await jm.flux.rpc("job-exec.critical-ranks", {"id": job.id, "ranks": "x"})
    with pytest.raises(FileNotFoundError):
        await jm.flux.rpc("job-exec.critical-ranks", {"id": 1, "ranks": "0"})
    await ended(jm, job)


async def test_there_is_no_barrier(manager: StartExec) -> None:
    jm = await manager()
    job = await running(jm)
    with pytest.raises(FileNotFoundError, match="job not found"):
        await jm.flux.rpc("job-exec.shell-barrier", {"id": 1, "rank": 0})
    with pytest.raises(OSError, match="bulk-exec does not support shell barrier"):
        await jm.flux.rpc("job-exec.shell-barrier", {"id": job.id, "rank": 0})
    await ended(jm, job)


async def test_a_change_of_expiration_may_fail(manager: StartExec) -> None:
    jm = await manager()
    job = await running(jm)
    with pytest.raises(FileNotFoundError):
        await jm.flux.rpc("job-exec.expiration", {"id": 1, "expiration": 1.0})
    with pytest.raises(OSError, match="rotocol"):
        await jm.flux.rpc("job-exec.expiration", {"id": job.id, "expiration": "x"})
    await jm.flux.rpc("job-exec.debug", {"op": "setbit", "flags": 1})
    with pytest.raises(OSError, match="Invalid argument"):
        await jm.flux.rpc("job-exec.expiration", {"id": job.id, "expiration": 1.0})
    await ended(jm, job)


async def test_a_job_is_started_once_and_properly(manager: StartExec) -> None:
    jm = await manager()
    job = await running(jm)
    payload = {"id": job.id, "userid": OWNER, "jobspec": make_jobspec("true"), "R": make_r([0])}
    with pytest.raises(FileExistsError):
        await jm.flux.rpc("job-exec.start", payload)
    with pytest.raises(OSError, match="reading R: "):
        await jm.flux.rpc("job-exec.start", {**payload, "id": 5, "R": {}})
    with pytest.raises(OSError, match="rotocol"):
        await jm.flux.rpc("job-exec.start", {"id": 5})
    await ended(jm, job)


async def test_shells_are_asked_for_by_the_service_alone(manager: StartExec) -> None:
    jm = await manager()
    job = await running(jm)
    payload = {"id": job.id, "userid": OWNER, "jobspec": make_jobspec("true"), "R": make_r([0])}
    with pytest.raises(OSError, match="rotocol"):
        await jm.flux.rpc("job-exec.shell", payload)
    stream = jm.flux.stream("job-exec.shell", payload)
    with pytest.raises(FileExistsError):
        async for _ in stream:
            pass
    guest = jm.wired.client(0, OWNER + 1, c.ROLE_USER)
    with pytest.raises(PermissionError):
        await guest.flux.rpc("job-exec.shell", payload)
    await guest.gone()
    with pytest.raises(OSError, match="rotocol"):
        await jm.flux.rpc("job-exec.shell-tell", {"id": job.id, "kind": "x", "data": {}})
    await jm.flux.rpc("job-exec.shell-tell", {"id": 1, "kind": "x", "data": {}})
    await ended(jm, job)


async def test_the_shells_of_a_service_that_is_gone_are_killed(manager: StartExec) -> None:
    jm = await manager(2)
    client = jm.wired.client(1)
    payload = {"id": 5, "userid": OWNER, "jobspec": make_jobspec("cat"), "R": make_r([1])}
    stream = client.flux.stream("job-exec.shell", payload)
    assert (await anext(stream)).json["reports"][0][0] == "layout"
    assert (await jm.flux.rpc("job-exec.stats-get", nodeid=1)).json["shells"] == 1
    await client.gone("job-exec")
    while (await jm.flux.rpc("job-exec.stats-get", nodeid=1)).json["shells"]:
        pass


@pytest.mark.parametrize(
    ("arg", "text"),
    [
        ("kill-timeout=-1", "invalid kill-timeout: -1"),
        ("kill-timeout=x", "invalid kill-timeout: x"),
        ("term-signal=FOO", "invalid term-signal: FOO"),
        ("kill-signal=999", "invalid kill-signal: 999"),
        ("max-kill-count=0", "invalid max-kill-count=0"),
        ("max-kill-timeout=zz", "invalid max-kill-timeout: zz"),
    ],
)
async def test_options_are_checked(manager: StartExec, arg: str, text: str) -> None:
    with pytest.raises(OSError, match=text):
        await manager(1, arg)
