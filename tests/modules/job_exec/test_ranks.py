"""Jobs whose tasks are on several ranks."""

import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fluxcore.shell.shell import WINDOW
from support.fake_job_manager import FakeJobManager
from support.jobspecs import make_jobspec, make_r
from support.leaks import is_running

StartExec = Callable[..., Awaitable[FakeJobManager]]


async def test_every_rank_runs_its_tasks(manager: StartExec) -> None:
    jm = await manager(4)
    script = "echo $FLUX_TASK_RANK.$FLUX_TASK_LOCAL_ID.$FLUX_JOB_NNODES; exit $FLUX_TASK_RANK"
    job = await jm.run("sh", "-c", script, ranks=(1, 2, 3), tasks=6)
    assert await jm.output(job) == {str(rank): f"{rank}.{rank % 2}.3\n" for rank in range(6)}
    assert await job.over() == 5 << 8
    events = {
        event["name"]: event.get("context") for event in await jm.events(job, "exec.eventlog")
    }
    assert events["shell.init"]["leader-rank"] == 1
    assert events["shell.init"]["size"] == 3
    assert events["shell.start"] == {"taskmap": {"version": 1, "map": [[0, 3, 2, 1]]}}
    assert events["shell-exit"] == {"rank": 1, "wait_status": 1 << 8}


async def test_a_failure_on_one_rank_ends_all(manager: StartExec) -> None:
    jm = await manager(4)
    script = "test $FLUX_TASK_RANK = 3 || exec sleep 100; exit 9"
    job = await jm.run("sh", "-c", script, ranks=(0, 1, 2, 3), exit_on_error=1)
    text = "sh: task rank 3 on host host3 failed (Exit 9) and exit-on-error is set"
    assert job.exceptions == [("exec", 0, text)]
    assert await job.over() == 9 << 8


async def test_what_one_rank_cannot_start_ends_all(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager(2)
    jobspec = make_jobspec("{{tmpdir}}/../x{{node.id}}", nodes=2, tasks=2)
    (tmp_path / "x0").write_text("#!/bin/sh\nsleep 100\n")
    (tmp_path / "x0").chmod(0o755)
    job = await jm.start(jobspec, make_r([0, 1]))
    await job.over()
    ((kind, severity, text),) = job.exceptions
    assert (kind, severity) == ("exec", 0)
    assert text.startswith("task 1 (host host1): start failed: ")
    assert text.endswith("No such file or directory")


async def test_input_reaches_all_ranks(manager: StartExec) -> None:
    jm = await manager(4)
    job = await jm.start(make_jobspec("cat", nodes=4, tasks=4), make_r([0, 1, 2, 3]))
    service = await jm.shell_service(job)
    await jm.flux.rpc(f"{service}.stdin", {"stream": "stdin", "rank": "[1-2]", "data": "some\n"})
    last = {"stream": "stdin", "rank": "all", "data": "all\n", "eof": True}
    await jm.flux.rpc(f"{service}.stdin", last)
    assert await job.over() == 0
    assert await jm.output(job) == {
        "0": "all\n",
        "1": "some\nall\n",
        "2": "some\nall\n",
        "3": "all\n",
    }


async def test_tasks_on_all_ranks_share_a_file(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager(4)
    path = tmp_path / "out"
    script = "for i in 1 2 3; do echo $FLUX_TASK_RANK-$i; done"
    output = {"stdout": {"path": str(path), "label": True}}
    job = await jm.run("sh", "-c", script, ranks=(0, 1, 2, 3), output=output)
    assert await job.over() == 0
    lines = path.read_text().splitlines()
    assert sorted(lines) == [f"{rank}: {rank}-{i}" for rank in range(4) for i in (1, 2, 3)]
    for rank in range(4):
        mine = [line for line in lines if line.startswith(f"{rank}:")]
        assert mine == sorted(mine)


async def test_tasks_on_all_ranks_have_files_of_their_own(
    manager: StartExec, tmp_path: Path
) -> None:
    jm = await manager(2)
    path = str(tmp_path / "out.{{node.id}}.{{task.id}}")
    job = await jm.run(
        "sh", "-c", "echo $FLUX_TASK_RANK", ranks=(0, 1), tasks=4, output={"stdout": {"path": path}}
    )
    assert await job.over() == 0
    found = {each.name: each.read_text() for each in tmp_path.glob("out.*")}
    assert found == {
        "out.0.0": "0\n",
        "out.0.1": "1\n",
        "out.1.2": "2\n",
        "out.1.3": "3\n",
    }


async def test_signals_reach_all_ranks(manager: StartExec) -> None:
    jm = await manager(4)
    script = 'trap "echo caught; exit 3" USR1; echo ready; while :; do sleep 0.01; done'
    job = await jm.start(make_jobspec("sh", "-c", script, nodes=4, tasks=4), make_r([0, 1, 2, 3]))
    for rank in range(4):
        await jm.until_output(job, f'"rank":"{rank}","data":"ready')
    jm.kill(job, signal.SIGUSR1)
    assert await job.over() == 3 << 8
    assert await jm.output(job) == dict.fromkeys("0123", "ready\ncaught\n")


PMI = """
import os, socket
s = socket.socket(fileno=int(os.environ["PMI_FD"])).makefile("rw", newline="\\n")
def ask(line):
    s.write(line + "\\n"); s.flush(); return s.readline().strip()
rank, size = int(os.environ["PMI_RANK"]), int(os.environ["PMI_SIZE"])
ask("cmd=init pmi_version=1 pmi_subversion=1")
for turn in range(3):
    ask(f"cmd=put kvsname=k key=k{turn}.{rank} value=v{turn}.{rank}")
    assert ask("cmd=barrier_in") == "cmd=barrier_out rc=0"
    for other in range(size):
        print(ask(f"cmd=get kvsname=k key=k{turn}.{other}").rpartition("=")[2])
print(ask("cmd=get kvsname=k key=PMI_process_mapping").partition("value=")[2])
if os.environ.get("ABORT") == str(rank):
    ask("cmd=abort exitcode=5 error_msg=no_more")
ask("cmd=finalize")
"""


@pytest.mark.slow
async def test_pmi_clients_on_all_ranks_exchange_what_they_have(manager: StartExec) -> None:
    jm = await manager(4)
    job = await jm.run(sys.executable, "-c", PMI, ranks=(0, 1, 2, 3), tasks=8)
    assert await job.over() == 0
    values = [f"v{turn}.{rank}" for turn in range(3) for rank in range(8)]
    expected = "\n".join([*values, "(vector,(0,4,2))", ""])
    assert await jm.output(job) == {str(rank): expected for rank in range(8)}


@pytest.mark.slow
async def test_a_pmi_client_may_abort_the_job(manager: StartExec) -> None:
    jm = await manager(2)
    job = await jm.run(sys.executable, "-c", PMI, ranks=(0, 1), environment={"ABORT": "1"})
    assert await job.over() == 143 << 8
    assert job.exceptions == [("exec", 0, "PMI_Abort: no_more")]


async def test_much_output_from_elsewhere_into_one_file(manager: StartExec, tmp_path: Path) -> None:
    jm = await manager(2)
    path = tmp_path / "out"
    output = {"stdout": {"path": str(path)}}
    script = f"read go; yes {'0123456789' * 100} | head -c {4 * WINDOW}"
    job = await jm.start(
        make_jobspec("sh", "-c", script, nodes=2, tasks=2, output=output), make_r([0, 1])
    )
    # Once its service can be found, all that there is to say of the start has been committed.
    service = await jm.shell_service(job)
    data = {"stream": "stdin", "rank": "all", "data": "go\n", "eof": True}
    await jm.flux.rpc(f"{service}.stdin", data)
    assert await job.over() == 0
    assert path.stat().st_size == 2 * 4 * WINDOW


@pytest.mark.slow
async def test_much_output_from_elsewhere(manager: StartExec) -> None:
    jm = await manager(2)
    line = "0123456789" * 100
    size = 4 * WINDOW
    job = await jm.run("sh", "-c", f"yes {line} | head -c {size}", ranks=(0, 1))
    whole = (f"{line}\n".encode() * (size // 1000))[:size]
    assert await jm.data(job) == {"0": whole, "1": whole}


async def test_job_exec_is_unloaded_on_a_rank_that_has_tasks(manager: StartExec) -> None:
    jm = await manager(2)
    jobspec = make_jobspec("sh", "-c", "echo $$; sleep 100", nodes=2, tasks=2)
    job = await jm.start(jobspec, make_r([0, 1]))
    for rank in range(2):
        await jm.until_output(job, f'"rank":"{rank}","data":"')
    await jm.wired.remove("job-exec", 1)
    assert await job.over() == 143 << 8
    assert job.exceptions == [("exec", 0, "node failure on host1 (rank 1)")]
    assert await jm.messages(job) == [(4, "node failure on host1 (shell rank 1)")]
    for pid in (await jm.output(job)).values():
        assert not is_running(int(pid))


async def test_job_exec_is_loaded_on_a_rank_that_lacks_it(manager: StartExec) -> None:
    jm = await manager(2)
    await jm.wired.remove("job-exec", 1)
    jobs = [await jm.run("true", ranks=ranks) for ranks in ((0, 1), (1,), (1,))]
    assert [await job.over() for job in jobs] == [0, 0, 0]
    await jm.wired.brokers[1].host.remove("job-exec")


async def test_a_job_is_cancelled_while_job_exec_is_loaded(manager: StartExec) -> None:
    jm = await manager(2)
    await jm.wired.remove("job-exec", 1)
    jobspec = make_jobspec("sleep", "100", nodes=2, tasks=2)
    job = await jm.start(jobspec, make_r([0, 1]))
    jm.publish_exception(job)
    assert await job.over() == 143 << 8


async def test_job_exec_cannot_be_loaded_on_a_rank(manager: StartExec) -> None:
    jm = await manager(2)
    await jm.wired.remove("job-exec", 1)
    broker = jm.wired.brokers[1]
    broker.router.add_service("job-exec", broker.own)  # so the name is taken
    job = await jm.run("sleep", "100", ranks=(0, 1))
    text = "job shell exec error on broker host1 (rank 1): Unknown service method 'job-exec.shell'"
    assert job.exceptions == [("exec", 0, text)]
    assert await job.over() == 143 << 8
