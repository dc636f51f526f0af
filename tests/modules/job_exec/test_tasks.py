"""Jobs with real tasks on one rank."""

from collections.abc import Awaitable, Callable

from support.fake_job_manager import FakeJobManager

StartExec = Callable[..., Awaitable[FakeJobManager]]


async def test_a_task_runs_and_its_records_are_kept(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.run("sh", "-c", "echo hello; echo oops >&2; exit 3")
    assert [kind for kind, _ in job.said] == ["start", "finish", "release"]
    assert await job.over() == 3 << 8
    assert await jm.names(job) == [
        "init",
        "starting",
        "shell.init",
        "shell.start",
        "shell.task-exit",
        "shell-exit",
        "complete",
        "done",
    ]
    assert await jm.output(job) == {"0": "hello\n"}
    assert await jm.output(job, "stderr") == {"0": "oops\n"}
