"""Jobs with real tasks on one rank."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fluxcore.job.jobid import f58plain
from fluxcore.shell.shell import WINDOW
from support.fake_job_manager import FakeJobManager
from support.jobspecs import make_jobspec, make_r
from support.leaks import descriptors, is_running

StartExec = Callable[..., Awaitable[FakeJobManager]]

WHOLE = (
    *("init", "starting", "shell.init", "shell.start"),
    *("shell.task-exit", "shell-exit", "complete", "done"),
)


async def test_a_task_runs_and_its_records_are_kept(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.run("sh", "-c", "echo hello; echo oops >&2; exit 3")
    assert [kind for kind, _ in job.said] == ["start", "finish", "release"]
    assert job.said[-1] == ("release", {"ranks": "all", "final": True})
    assert await job.over() == 3 << 8
    assert tuple(await jm.names(job)) == WHOLE
    assert await jm.output(job) == {"0": "hello\n"}
    assert await jm.output(job, "stderr") == {"0": "oops\n"}


async def test_the_records_say_what_they_have_to(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.run("sh", "-c", "exit 3", tasks=2)
    events = {
        event["name"]: event.get("context") for event in await jm.events(job, "exec.eventlog")
    }
    pid = events["shell.task-exit"].pop("pid")
    rank = events["shell.task-exit"].pop("rank")
    assert pid > 1
    assert events == {
        "init": None,
        "starting": None,
        "shell.init": {
            "service": f"{os.getuid()}-shell-{f58plain(job.id)}",
            "leader-rank": 0,
            "size": 1,
        },
        "shell.start": {"taskmap": {"version": 1, "map": [[0, 1, 2, 1]]}},
        "shell.task-exit": {
            "localid": rank,
            "state": "Exited",
            "wait_status": 768,
            "signaled": 0,
            "exitcode": 3,
        },
        "shell-exit": {"rank": 0, "wait_status": 768},
        "complete": {"status": 768},
        "done": None,
    }
    output = await jm.events(job, "output")
    assert output[0]["name"] == "header"
    assert output[0]["context"]["count"] == {"stdout": 2, "stderr": 2}
    ends = [event["context"] for event in output if event["context"].get("eof")]
    assert len(ends) == 4
    assert [event["name"] for event in await jm.events(job, "input")] == ["header"]


async def test_a_job_that_lasts_has_its_namespace_and_its_link(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("sh", "-c", "echo here; read x"))
    namespace = {"namespace": f"job-{job.id}"}
    await job.until("start")
    assert (await jm.flux.rpc("kvs.getroot", namespace)).json["owner"] == os.getuid()
    await jm.until_output(job, "here")
    # The link is there too, and leads to the same.
    assert (await jm.events(job, "output"))[0]["name"] == "header"
    jm.publish_exception(job)
    assert await job.over() == 143 << 8
    with pytest.raises(OSError, match="not supported"):
        await jm.flux.rpc("kvs.getroot", namespace)
    assert tuple(await jm.names(job)) == WHOLE


async def test_tasks_know_where_they_are(manager: StartExec) -> None:
    jm = await manager()
    names = (
        *("FLUX_JOB_ID", "FLUX_JOB_SIZE", "FLUX_JOB_NNODES", "FLUX_KVS_NAMESPACE", "FLUX_URI"),
        *("FLUX_TASK_RANK", "FLUX_TASK_LOCAL_ID", "HOME"),
    )
    script = "; ".join([f'echo "$(printenv {name})"' for name in names])
    job = await jm.run("sh", "-c", script, environment={"HOME": "/h"})
    lines = (await jm.output(job))["0"].splitlines()
    assert lines[0].startswith("ƒ")
    assert lines[1:4] == ["1", "1", f"job-{job.id}"]
    assert lines[5:] == ["0", "0", "/h"]


async def test_a_program_that_is_not_there(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.run("nosuchprogram")
    text = "task 0 (host host0): start failed: nosuchprogram: No such file or directory"
    assert job.exceptions == [("exec", 0, text)]
    assert await job.over() == 127 << 8
    assert await jm.messages(job) == [(0, text)]
    assert await jm.names(job) == [
        *("init", "starting", "shell.init", "shell-exit", "complete", "done"),
    ]


async def test_a_file_that_is_no_program(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager()
    (tmp_path / "text").write_text("")
    job = await jm.run(str(tmp_path / "text"))
    assert job.exceptions[0][2].endswith(f"start failed: {tmp_path}/text: Permission denied")
    assert await job.over() == 126 << 8


async def test_options_that_are_wrong(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.run("true", output={"limit": "2T"})
    assert await job.over() == 1 << 8
    assert job.exceptions == [("exec", 0, "shell_init: No such file or directory")]
    assert await jm.messages(job) == [
        (3, "Invalid KVS output.limit=2T"),
        (3, "plugin 'output': shell.init failed"),
        (0, "shell_init: No such file or directory"),
    ]


async def test_bytes_are_kept(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager()
    data = bytes(range(256)) * 100
    (tmp_path / "data").write_bytes(data)
    job = await jm.run("cat", str(tmp_path / "data"))
    assert await jm.data(job) == {"0": data}


@pytest.mark.slow
async def test_ten_megabytes_of_output(manager: StartExec) -> None:
    jm = await manager()
    line = "0123456789" * 100
    job = await jm.run("sh", "-c", f"yes {line} | head -c {10 << 20}")
    assert (await jm.data(job))["0"] == (f"{line}\n".encode() * 10486)[: 10 << 20]


async def test_a_shell_that_cannot_make_sense_of_a_jobspec_is_forgotten(
    manager: StartExec,
) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("true", system={"job": "no object"}), make_r([0]))
    await job.over()
    ((kind, severity, text),) = job.exceptions
    assert (kind, severity) == ("exec", 0)
    assert text.startswith("job shell exec error on broker host0 (rank 0): internal error: ")
    assert (await jm.flux.rpc("job-exec.stats-get")).json["shells"] == 0


async def test_output_beyond_the_limit_is_cut_off_and_that_is_said(manager: StartExec) -> None:
    jm = await manager()
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i; done; echo error >&2"
    job = await jm.run("sh", "-c", script, output={"limit": 10})
    assert await jm.output(job) == {"0": "1\n2\n3\n4\n5\n"}
    assert await jm.output(job, "stderr") == {"0": "error\n"}
    assert await jm.messages(job) == [
        (4, "stdout will be truncated, 10 limit exceeded"),
        (4, "stdout: 6 of 16 bytes truncated"),
    ]


async def test_output_beyond_the_limit_does_not_hold_up_the_tasks(manager: StartExec) -> None:
    jm = await manager()
    size = 4 * WINDOW
    job = await jm.run("sh", "-c", f"yes {'y' * 999} | head -c {size}", output={"limit": 10})
    assert await job.over() == 0
    assert (4, f"stdout: {size - 10} of {size} bytes truncated") in await jm.messages(job)


async def test_output_goes_to_files(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager()
    path = str(tmp_path / "out-{{id.dec}}")
    output = {"stdout": {"type": "file", "path": path}, "stderr": {"type": "kvs"}}
    job = await jm.run("sh", "-c", "echo out; echo err >&2", output=output)
    path = str(tmp_path / f"out-{job.id}")
    assert Path(path).read_text() == "out\n"
    assert await jm.output(job) == {}
    assert await jm.output(job, "stderr") == {"0": "err\n"}
    (redirect,) = [e["context"] for e in await jm.events(job, "output") if e["name"] == "redirect"]
    assert redirect["path"] == path
    assert redirect["stream"] == "stdout"


async def test_a_kill_request_reaches_the_tasks_and_the_job_goes_on(manager: StartExec) -> None:
    jm = await manager()
    script = 'trap "echo caught" USR1; echo ready; read x; read x; read x; echo end'
    job = await jm.start(make_jobspec("sh", "-c", script))
    await jm.until_output(job, "ready")
    jm.kill(job, signal.SIGUSR1)
    await jm.until_output(job, "caught")
    jm.kill(job, signal.SIGKILL)
    assert await job.over() == 137 << 8
    assert job.exceptions == []


async def test_tasks_that_do_not_heed_the_first_signal_are_killed(manager: StartExec) -> None:
    jm = await manager(1, "kill-timeout=0.05")
    job = await jm.start(make_jobspec("sh", "-c", 'trap "" TERM; echo ready; read x; sleep 100'))
    await jm.until_output(job, "ready")
    jm.publish_exception(job)
    assert await job.over() == 137 << 8


async def test_other_signals_may_be_configured(manager: StartExec) -> None:
    jm = await manager(1, "term-signal=SIGINT", "kill-signal=SIGQUIT")
    script = 'trap "echo interrupted; exit 5" INT; echo ready; while :; do read x; sleep 100; done'
    job = await jm.start(make_jobspec("sh", "-c", script))
    await jm.until_output(job, "ready")
    jm.publish_exception(job)
    assert await job.over() == 5 << 8
    assert "interrupted" in (await jm.output(job))["0"]


async def test_only_fatal_exceptions_end_a_job(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("sh", "-c", "echo ready; read x"))
    await jm.until_output(job, "ready")
    jm.publish_exception(job, severity=1)
    await jm.flux.rpc("job-exec.ping", {})
    assert job.said == [("start", {})]
    jm.publish_exception(job)
    assert await job.over() == 143 << 8


async def test_time_runs_out(manager: StartExec) -> None:
    jm = await manager()
    now = time.time()
    r = make_r([0], starttime=now, expiration=now + 0.05)
    job = await jm.start(make_jobspec("sleep", "100"), r)
    assert await job.over() == (128 + signal.SIGALRM) << 8
    assert job.exceptions == [("timeout", 0, "resource allocation expired")]


async def test_time_is_prolonged(manager: StartExec) -> None:
    jm = await manager()
    now = time.time()
    r = make_r([0], starttime=now, expiration=now + 0.1)
    job = await jm.start(make_jobspec("sh", "-c", "sleep 0.15; exit 7"), r)
    await job.until("start")
    await jm.flux.rpc("job-exec.expiration", {"id": job.id, "expiration": now + 1000.0})
    assert await job.over() == 7 << 8
    assert job.exceptions == []


async def test_a_signal_comes_before_the_time_runs_out(manager: StartExec) -> None:
    jm = await manager()
    now = time.time()
    r = make_r([0], starttime=now, expiration=now + 1000)
    options = {"signal": {"signum": 12, "timeleft": 1000 - 0.05}}
    script = 'trap "exit 9" USR2; echo ready; while :; do sleep 0.01; done'
    job = await jm.start(make_jobspec("sh", "-c", script, **options), r)
    assert await job.over() == 9 << 8
    assert (5, "job will expire in 1000.0s, sending SIGUSR2 to job") in await jm.messages(job)


async def test_the_first_failure_may_end_the_others(manager: StartExec) -> None:
    jm = await manager()
    script = "test $FLUX_TASK_RANK = 1 && exit 4; sleep 100"
    job = await jm.run("sh", "-c", script, tasks=3, exit_on_error=1)
    text = "sh: task rank 1 on host host0 failed (Exit 4) and exit-on-error is set"
    assert job.exceptions == [("exec", 0, text)]
    assert await job.over() == 4 << 8


async def test_the_others_have_only_so_long(manager: StartExec) -> None:
    jm = await manager()
    script = "test $FLUX_TASK_RANK = 1 && exit 0; sleep 100"
    job = await jm.run("sh", "-c", script, tasks=2, exit_timeout="0.01s")
    text = "sh: task rank 1 on host host0 exited (Exit 0) and exit-timeout=10ms has expired"
    assert job.exceptions == [("exec", 0, text)]
    assert await job.over() == 1 << 8


async def test_nothing_is_left_of_many_jobs(manager: StartExec) -> None:
    jm = await manager()
    await jm.run("true")
    before = descriptors()
    jobs = [await jm.start(make_jobspec("sh", "-c", "echo $$", tasks=2)) for _ in range(10)]
    for job in jobs:
        assert await job.over() == 0
        for pid in (await jm.output(job)).values():
            assert not is_running(int(pid))
    assert descriptors() == before
    assert (await jm.flux.rpc("job-exec.stats-get")).json["jobs"] == {}
    assert (await jm.flux.rpc("job-exec.stats-get")).json["shells"] == 0


async def test_job_exec_is_unloaded_with_jobs(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("sh", "-c", "echo $$; trap '' TERM; sleep 100; sleep 100"))
    await jm.until_output(job, "\\n")
    await jm.wired.remove("job-exec")
    assert await job.over() == 137 << 8
    assert job.exceptions == [("exec", 0, "job-exec is unloaded")]
    pid = (await jm.output(job))["0"].strip()
    assert not is_running(pid)


async def test_the_jobspecs_environment_is_read_from_the_kvs(manager: StartExec) -> None:
    jm = await manager()
    jobspec = make_jobspec("true")
    job = jm.new_job()
    jm.start_again(job, jobspec)
    await job.over()
    assert job.exceptions == [
        ("exec", 0, "error fetching jobspec: No such file or directory"),
    ]


async def test_another_users_job_cannot_run(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("true"), userid=12345)
    assert await job.over() is None
    assert job.exceptions == [("exec", 0, "failed to initialize implementation: Invalid argument")]
    assert "unable run multiuser job with no IMP configured!" in jm.wired.logged()


async def test_too_much_stdin_ends_the_job(manager: StartExec) -> None:
    jm = await manager()
    job = await jm.start(make_jobspec("cat", input={"limit": "1k"}))
    service = await jm.shell_service(job)
    data = {"stream": "stdin", "rank": "all", "data": "x" * 1025}
    await jm.flux.rpc(f"{service}.stdin", data)
    await job.over()
    assert job.exceptions[0][2].startswith("stdin exceeds 1K limit. Try file input")


async def test_many_short_jobs_are_few_commits(manager: StartExec) -> None:
    jm = await manager()
    jobs = await asyncio.gather(*[jm.run("true") for _ in range(20)])
    assert {await job.over() for job in jobs} == {0}
    for job in jobs:
        assert tuple(await jm.names(job)) == WHOLE
