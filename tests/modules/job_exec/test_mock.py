"""Jobs that are mocked: no task runs."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fluxcore.job.jobid import kvs_key
from fluxcore.kvs import ops
from fluxcore.kvs.blobref import blobref, hash_type
from fluxcore.kvs.treeobj import encode, make_dir, make_dirref
from fluxcore.modules.job_exec.guest import event_line
from fluxcore.wire import constants as c
from support.fake_job_manager import FakeJobManager, Job
from support.jobspecs import make_jobspec, make_r
from support.wired import OWNER

StartExec = Callable[..., Awaitable[FakeJobManager]]

GUEST = OWNER + 1
EMPTY = blobref(encode(make_dir()), hash_type("sha1"))


def mocked(duration: float = 0.0, **test: Any) -> dict[str, Any]:
    return make_jobspec("nothing", duration=duration, system={"exec": {"test": test}})


async def run(jm: FakeJobManager, duration: float = 0.0, **test: Any) -> Job:
    job = await jm.start(mocked(duration, **test))
    await job.over()
    return job


async def test_a_job_is_mocked(manager: StartExec) -> None:
    jm = await manager()
    job = await run(jm, run_duration="0.01s")
    assert [kind for kind, _ in job.said] == ["start", "finish", "release"]
    assert await job.over() == 0
    assert await jm.names(job) == ["init", "starting", "recoverable", "complete", "done"]


async def test_its_status_is_given(manager: StartExec) -> None:
    jm = await manager()
    assert await (await run(jm, run_duration="0.01s", wait_status=256)).over() == 256


async def test_its_duration_is_its_own(manager: StartExec) -> None:
    jm = await manager()
    assert await (await run(jm, 0.01)).over() == 0


async def test_it_ends_with_an_exception(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(mocked())
    await job.until("start")
    jm.publish_exception(job)
    assert await job.over() == 15


async def test_an_exception_may_say_the_status(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(mocked())
    await job.until("start")
    jm.publish_exception(job, wait_status=9)
    assert await job.over() == 137 << 8


async def test_its_time_runs_out(manager: StartExec) -> None:
    jm = await manager()
    now = time.time()
    job = await jm.start(mocked(), make_r([0], starttime=now, expiration=now + 0.01))
    assert await job.over() == 14
    assert job.exceptions == [("timeout", 0, "resource allocation expired")]


async def test_it_may_fail_at_its_beginning(manager: StartExec) -> None:
    jm = await manager()
    job = await run(jm, mock_exception="init")
    assert job.exceptions == [("exec", 0, "mock initialization exception generated")]
    assert [kind for kind, _ in job.said] == ["exception", "release"]
    job = await run(jm, mock_exception="run")
    assert job.exceptions == [("exec", 0, "mock run exception generated")]
    assert await job.over() == 15


@pytest.mark.parametrize(
    "test", [5, {"run_duration": 5}, {"run_duration": "x"}, {"wait_status": ""}]
)
async def test_it_may_be_malformed(manager: StartExec, test: object) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("true", system={"exec": {"test": test}}))
    assert await job.over() is None
    assert job.exceptions == [("exec", 0, "failed to initialize testconf: Invalid argument")]


async def test_guests_may_use_it_only_if_that_is_configured(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(mocked(run_duration="0.01s"), userid=GUEST)
    assert await job.over() is None
    text = "guests may not use test exec implementation"
    assert job.exceptions == [("exec", 0, text)]


async def test_it_is_started_and_ended_by_hand(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(mocked(override=1))

    async def override(event: str, **other: int) -> None:
        payload = {"event": event, "jobid": job.id, **other}
        await jm.flux.rpc("job-exec.override", payload)

    await override_fails(jm, job, "finish", "Job not running")
    await override("start")
    await job.until("start")
    await override_fails(jm, job, "start", "Job already running")
    await override_fails(jm, job, "other", "Invalid event")
    guest = jm.wired.client(0, GUEST, c.ROLE_USER)
    with pytest.raises(PermissionError, match="Permission denied"):
        await guest.flux.rpc("job-exec.override", {"event": "finish", "jobid": job.id})
    await guest.gone()
    await override("finish", status=512)
    assert await job.over() == 512
    await override_fails(jm, job, "finish", "Job not found")


async def test_only_those_that_ask_for_it_are_started_by_hand(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(mocked())
    await override_fails(jm, job, "finish", "Job not in exec override mode")
    jm.publish_exception(job)
    await job.over()
    real = await jm.start(make_jobspec("cat"))
    await override_fails(jm, real, "start", "Job not found")
    jm.publish_exception(real)
    await real.over()


async def override_fails(jm: FakeJobManager, job: Job, event: str, text: str) -> None:
    with pytest.raises(OSError, match=text):
        await jm.flux.rpc("job-exec.override", {"event": event, "jobid": job.id})


# -- after a restart -----------------------------------------------------------------------


async def begin_again(jm: FakeJobManager, jobspec: dict[str, Any], *, start: float) -> Job:
    """Start a job, unload job-exec, load it again and have the job found again."""
    job = await jm.start(jobspec)
    await job.until("start")
    log = event_line(start, "start")
    await jm.commit(ops.append(kvs_key(job.id, "eventlog"), log))
    await jm.wired.remove("job-exec")
    assert [kind for kind, _ in job.said] == ["start"]
    await jm.wired.load("job-exec")
    jm.start_again(job, jobspec, reattach=True)
    return job


async def test_it_goes_on_after_a_restart(manager: StartExec) -> None:
    jm = await manager()
    job = await begin_again(jm, mocked(run_duration="100s"), start=time.time() - 99.95)
    assert await job.over() == 0
    assert [kind for kind, _ in job.said] == ["start", "reattached", "finish", "release"]
    assert await jm.names(job) == [
        *("init", "starting", "recoverable", "reattach", "re-starting", "complete", "done"),
    ]


async def test_it_has_ended_meanwhile(manager: StartExec) -> None:
    jm = await manager()
    jobspec = mocked(run_duration="100s", reattach_finish=1)
    job = await begin_again(jm, jobspec, start=time.time())
    assert await job.over() == 0


async def test_real_tasks_are_not_found_again(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("true"), reattach=True)
    await job.over()
    assert job.exceptions == [
        ("exec", 0, "reattach to running job is not implemented: Function not implemented")
    ]


async def found_again(jm: FakeJobManager, job: Job, *kept: ops.Op) -> str:
    """Let a job be found again with what is kept of its guest: why it cannot."""
    if kept:
        await jm.commit(*kept)
    jm.start_again(job, mocked(run_duration="1s"), reattach=True)
    assert await job.over() is None
    ((_type, _severity, note),) = job.exceptions
    return note


async def test_a_job_without_records_is_not_found_again(manager: StartExec) -> None:
    jm = await manager()
    assert await found_again(jm, jm.new_job()) == "No such file or directory"
    job = jm.new_job()
    link = ops.symlink(kvs_key(job.id, "guest"), ".", f"job-{job.id}")
    missing = "failed to create guest ns: No such file or directory"
    assert await found_again(jm, job, link) == missing
    payload = {"namespace": "x", "rootref": EMPTY, "owner": OWNER, "flags": 0}
    await jm.flux.rpc("kvs.namespace-create", payload)
    await jm.commit(ops.put("exec.eventlog", event_line(1.0, "init")), namespace="x")
    root = (await jm.flux.rpc("kvs.getroot", {"namespace": "x"})).json["rootref"]
    job = jm.new_job()
    kept = ops.put_treeobj(kvs_key(job.id, "guest"), make_dirref(root))
    text = "job is not recoverable: no recoverable event"
    assert await found_again(jm, job, kept) == text
