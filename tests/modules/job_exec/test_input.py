"""Input for jobs, at the service of the shell that speaks for them."""

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

from fluxcore.modules.job_exec import shell_service
from fluxcore.wire import constants as c
from support.fake_job_manager import FakeJobManager, Job
from support.jobspecs import make_jobspec
from support.refused import refused

StartExec = Callable[..., Awaitable[FakeJobManager]]

DATA = {"stream": "stdin", "rank": "all", "data": "x"}


async def test_stdin(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("cat", tasks=2))
    service = await jm.shell_service(job)
    await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "1", "data": "one\n"})
    await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "1", "eof": True})
    with pytest.raises(BrokenPipeError):
        await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "1", "data": "x"})
    last = {"stream": "stdin", "rank": "0", "data": "AAE=", "encoding": "base64", "eof": True}
    await jm.flux.rpc(f"{service}.stdin", last)
    assert await job.over() == 0
    assert await jm.data(job) == {"0": b"\x00\x01", "1": b"one\n"}
    given = [event["context"] for event in await jm.events(job, "input")][1:]
    assert given == [
        {"stream": "stdin", "rank": "1", "data": "one\n"},
        {"stream": "stdin", "rank": "1", "eof": True},
        last,
    ]


async def test_stdin_is_only_for_the_owner(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("cat"))
    service = await jm.shell_service(job)
    guest = jm.wired.client(0, 12345, c.ROLE_USER)
    with pytest.raises(PermissionError):
        await guest.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "all", "data": "x"})
    await guest.gone()
    with pytest.raises(OSError, match="Unknown service method"):
        await jm.flux.rpc(f"{service}.other", {})
    for bad in ({}, {"stream": "stdin", "rank": "zzz"}, {"stream": "stdin", "rank": "0"}):
        with pytest.raises(OSError, match="rotocol"):
            await jm.flux.rpc(f"{service}.stdin", bad)
    await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "all", "eof": True})
    assert await job.over() == 0


async def test_input_that_comes_after_the_end_leads_nowhere(manager: StartExec) -> None:
    """Who follows a short job learns of its service when it is over."""
    jm = await manager()
    jobs = [await jm.start(make_jobspec("true")) for _ in range(3)]
    for job in jobs:
        assert await job.over() == 0
        topic = await _topic(jm, job)
        assert (await jm.flux.rpc(topic, DATA)).errnum == 0
        assert (await jm.flux.rpc(topic, {**DATA, "eof": True})).errnum == 0
        assert [event["name"] for event in await jm.events(job, "input")] == ["header"]
        guest = jm.wired.client(0, 12345, c.ROLE_USER)
        assert (await refused(guest.flux.rpc(topic, DATA)))[0] == errno.EPERM


async def test_after_some_time_it_is_refused(
    manager: StartExec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_service, "_LINGER", 0.02)
    jm = await manager()
    jobs = [await jm.start(make_jobspec("true")) for _ in range(3)]
    for job in jobs:
        await job.over()
    for job in jobs:
        topic = await _topic(jm, job)
        while (last := await _failure(jm, topic)) is None:
            await asyncio.sleep(0)  # it is taken for a while
        assert last[0] == errno.ENOSYS


async def _topic(jm: FakeJobManager, job: Job) -> str:
    """Where the input of a job that is over was sent."""
    events = {event["name"]: event for event in await jm.events(job, "exec.eventlog")}
    return f"{events['shell.init']['context']['service']}.stdin"


async def _failure(jm: FakeJobManager, topic: str) -> tuple[int | None, str | None] | None:
    try:
        await jm.flux.rpc(topic, DATA)
    except OSError as exc:
        return exc.errno, exc.strerror
    return None


async def test_input_for_tasks_that_read_a_file(manager: StartExec) -> None:
    jm = await manager()
    options = {"input": {"stdin": {"type": "file", "path": "/dev/null"}}}
    job = await jm.start(make_jobspec("sleep", "100", **options))
    topic = f"{await jm.shell_service(job)}.stdin"
    error = (errno.ENOSYS, f"Unknown service method '{topic}'")
    assert await refused(jm.flux.rpc(topic, DATA)) == error
    assert await refused(jm.flux.rpc(topic, {**DATA, "eof": True})) == error
    jm.publish_exception(job)
    await job.over()
