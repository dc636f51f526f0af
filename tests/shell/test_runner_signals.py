"""Shells with real tasks: signals, and what tasks leave behind."""

import os
import signal

from support.shell_jobs import READY, Jobs, is_running, settled


async def test_signals_reach_all_of_a_tasks_processes(jobs: Jobs) -> None:
    job = jobs.start("sh", "-c", READY + "sleep 100 & wait")
    await job.until_output("ready")
    job.shell.signal(signal.SIGTERM)
    assert await job.status() == 143 << 8


async def test_a_signal_before_the_start_is_not_lost(jobs: Jobs) -> None:
    job = jobs.start("sleep", "100", tasks=3)
    job.shell.signal(signal.SIGTERM)
    assert await job.status() == 143 << 8


async def test_what_a_task_leaves_behind_is_killed(jobs: Jobs) -> None:
    job = await jobs.run("sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $!")
    pid = int(job.text())
    await settled(lambda: not is_running(pid))


async def test_the_end_of_output_is_waited_for_unless_the_job_is_killed(jobs: Jobs) -> None:
    job = jobs.start("sh", "-c", "setsid sh -c 'echo $$; exec sleep 100' &")
    await job.until_output("\n")
    while not job.of("exit"):
        await job.more()
    assert job.of("finished") == []
    job.shell.signal(signal.SIGKILL, final=True)
    assert await job.status() == 0
    os.kill(int(job.text()), signal.SIGKILL)  # it left the task's process group
