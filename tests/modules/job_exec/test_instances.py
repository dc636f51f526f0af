"""Jobs in real instances, from the command line."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxcore.handle.aio import connect
from support.instance import FLUX, Instance, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def four() -> Iterator[Instance]:
    with start(4) as instance:
        yield instance


def test_jobs_on_one_broker() -> None:
    with start(1) as instance:
        assert instance.flux("run", "echo", "hello").stdout == "hello\n"
        done = instance.flux("run", "sh", "-c", "echo err >&2; exit 3")
        assert done.returncode == 3
        assert done.stderr == "err\nflux-job: task(s) exited with exit code 3\n"
        done = instance.flux("run", "nosuchprogram")
        assert done.returncode == 127
        why = r"task 0 \(host \S+\): start failed: nosuchprogram: No such file or directory"
        assert re.fullmatch(
            rf"\S+: flux-shell\[0\]: FATAL: {why}\n"
            rf"\S+: job.exception \S+ type=exec severity=0 {why}\n"
            r"flux-job: task\(s\) exited with exit code 127\n",
            done.stderr,
        )
        assert instance.flux("run", "cat", stdin="a\nb\n").stdout == "a\nb\n"
        assert instance.flux("run", "-t", "0.1s", "sleep", "100").returncode == 142


def test_output_is_waited_for_before_it_is_there() -> None:
    with start(1) as instance:
        for log in ("guest.output", "guest.input", "guest.exec.eventlog"):
            jobid = instance.flux("submit", "sh", "-c", "echo ready; sleep 100").stdout.strip()
            event = {"guest.output": "data", "guest.input": "header"}.get(log, "shell.start")
            done = instance.flux("job", "wait-event", "-p", log, jobid, event)
            assert (done.returncode, done.stderr) == (0, "")
            assert event in done.stdout
            assert instance.flux("cancel", jobid).returncode == 0


def test_records_are_there_for_who_looks_after_the_start() -> None:
    with start(1) as instance:
        for command in ("eventlog -p exec {}", "info {} guest.exec.eventlog"):
            jobid = instance.flux("submit", "sleep", "100").stdout.strip()
            assert instance.flux("job", "wait-event", jobid, "start").returncode == 0
            done = instance.flux("job", *command.format(jobid).split())
            assert (done.returncode, done.stderr) == (0, "")
            assert "init" in done.stdout
            assert instance.flux("cancel", jobid).returncode == 0


def test_jobs_on_all_brokers(four: Instance) -> None:
    script = "echo $FLUX_TASK_RANK $FLUX_JOB_NNODES"
    done = four.flux("run", "-l", "-N4", "-n8", "sh", "-c", script)
    lines = sorted(done.stdout.splitlines())
    assert lines == [f"{rank}: {rank} 4" for rank in range(8)]
    done = four.flux("run", "-N4", "-n4", "cat", stdin="to all\n")
    assert done.stdout == "to all\n" * 4


def test_much_output(four: Instance, tmp_path: Path) -> None:
    size = 1 << 20
    path = tmp_path / "data"
    path.write_bytes(b"0123456789abcde\n" * (size // 16))
    done = four.flux("run", "cat", str(path), timeout=60)
    assert len(done.stdout) == size
    assert done.stdout == path.read_text()


@pytest.mark.parametrize("how", ["run_duration=100s", "mock_exception=run"])
def test_a_mocked_job_that_is_ended_has_a_status(four: Instance, how: str) -> None:
    wait = "--wait-event=start"
    jobid = four.flux("submit", f"--setattr=exec.test.{how}", wait, "x").stdout.strip()
    if how.startswith("run"):
        four.flux("job", "cancel", jobid)
    assert four.flux("job", "wait-event", jobid, "clean").returncode == 0
    assert " finish status=15\n" in four.flux("job", "eventlog", jobid).stdout


def test_nothing_is_left_of_jobs(four: Instance) -> None:
    four.flux("submit", "--wait", "--cc=1-4", "true")
    pid = asyncio.run(broker_pid(four, 0))
    (launcher,) = [child for child in children(pid) if "launcher" in command_line(child)]
    before = [len(os.listdir(f"/proc/{process}/fd")) for process in (pid, launcher)]
    four.flux("submit", "--wait", "--cc=1-40", "-n2", "sh", "-c", "echo x")
    four.flux("run", "true")  # before it is started, those before it are forgotten
    after = [len(os.listdir(f"/proc/{process}/fd")) for process in (pid, launcher)]
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert len(children(launcher)) <= 1
    # The directories of jobs are removed some time after them, the last ones with the module.
    assert four.flux("module", "remove", "job-exec").returncode == 0
    assert not list(four.rundir.glob("jobtmp-*"))
    assert launcher not in children(pid)
    assert four.flux("module", "load", "job-exec").returncode == 0


async def broker_pid(instance: Instance, rank: int) -> int:
    async with await connect(instance.uri) as flux:
        answer = await flux.rpc("attr.get", {"name": "broker.pid"}, nodeid=rank)
        return int(answer.json["value"])


def children(pid: int) -> list[int]:
    """The children of a process, zombies included."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_an_instance_ends_with_jobs() -> None:
    with start(2) as instance:
        jobid = instance.flux("submit", "-N2", "-n2", "sh", "-c", "echo $$; sleep 100").stdout
        assert jobid
    # That no process is left is looked at by start().


def test_a_broker_is_lost() -> None:
    with start(4, exit_code=137) as instance:
        command = ("sh", "-c", "echo $$; exec sleep 100")
        jobid = instance.flux("submit", "-N4", "-n4", *command).stdout.strip()
        attach = [FLUX, "job", "attach", "-l", jobid]
        with subprocess.Popen(
            attach,
            env=instance.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as attached:
            assert attached.stdout is not None
            tasks = dict(attached.stdout.readline().split(": ") for _ in range(4))
            pid = asyncio.run(broker_pid(instance, 3))
            assert parent(pid) == instance.process.pid
            os.kill(pid, signal.SIGKILL)
            _, errors = attached.communicate(timeout=60)
        os.kill(int(tasks["3"]), signal.SIGKILL)  # nobody is left to do that
        assert attached.returncode == 143
        assert "node failure on" in errors
        assert instance.flux("run", "-N3", "-n3", "true").returncode == 0


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


_RC1 = """
load() { for name; do flux module load $name; done; }
first() { test $(flux getattr rank) != 0 || load "$@"; }
load heartbeat barrier content
first content-sqlite
load kvs kvs-watch resource
first job-manager
load job-info job-ingest
first job-list job-exec sched-simple
"""
_RC3 = """
remove() { for name; do flux module remove $name; done; }
first() { test $(flux getattr rank) != 0 || remove "$@"; }
first sched-simple job-exec job-list
remove job-ingest job-info
first job-manager
remove resource kvs-watch kvs
first content-sqlite
remove content barrier heartbeat
"""


def test_job_exec_is_loaded_by_rank_0_only(tmp_path: Path) -> None:
    """As flux-core's rc1 may have it: nobody but us knows that it is on rank 1, too."""
    for name, text in (("rc1", _RC1), ("rc3", _RC3)):
        (tmp_path / name).write_text("#!/bin/sh\n" + text)
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [
            *(FLUX, "start", "-s2"),
            *(f"-Sbroker.{name}_path={tmp_path / name}" for name in ("rc1", "rc3")),
            *("flux", "run", "-N2", "-n2", "echo", "hi"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "hi\nhi\n"), done.stderr
