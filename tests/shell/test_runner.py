"""Shells with real tasks: processes, pipes, files and directories."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fluxcore.job.output import decode_data
from fluxcore.shell import runner as runner_module
from fluxcore.shell.runner import Host, Reports, ShellRunner
from fluxcore.shell.shell import WINDOW
from fluxcore.shell.spawn import Spawner
from fluxcore.shell.sweep import Sweeper
from support.jobspecs import make_jobspec, make_r
from support.leaks import no_leaks

# Commands that only end when they are told to, and that tell when they are ready for that.
READY = "echo ready; "


def is_running(pid: int) -> bool:
    """Whether a process runs: one that ended may wait for init to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def settled(holds: Callable[[], bool]) -> None:
    """Wait for something that happens beside the loop and tells nobody."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


class Job:
    """A shell and what it has reported."""

    def __init__(self, host: Host, jobspec: dict[str, Any], number: int) -> None:
        self.reports: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()
        self.shell = ShellRunner(host, number, jobspec, self._take)

    def _take(self, reports: Reports) -> None:
        self.reports += reports
        self._changed.set()

    async def more(self) -> None:
        """Wait for the next reports."""
        self._changed.clear()
        await self._changed.wait()

    async def until_output(self, text: str) -> None:
        while text not in self.text():
            await self.more()

    async def status(self) -> int:
        """The wait status of the job, at its end."""
        while not self.of("finished"):
            await self.more()
        return int(self.of("finished")[0]["status"])

    def data(self, stream: str = "stdout", rank: int = 0) -> bytes:
        contexts = [c for kind, what in self.reports if kind == "output" for c in what["data"]]
        mine = [c for c in contexts if c["stream"] == stream and c["rank"] == str(rank)]
        return b"".join(decode_data(context).data for context in mine)

    def text(self, stream: str = "stdout", rank: int = 0) -> str:
        return self.data(stream, rank).decode()

    def of(self, kind: str) -> list[Any]:
        return [what for reported, what in self.reports if reported == kind]


class Jobs:
    """Starts jobs on a node of four cores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        loop = asyncio.get_running_loop()
        self.host = Host(
            loop,
            Spawner(loop),
            Sweeper(loop),
            0,
            str(folder / "run"),
            "local:///x",
            "/",
            "thishost",
            [frozenset([cpu]) for cpu in sorted(os.sched_getaffinity(0))],
            {"flux.instance-level": "1"},
        )
        (folder / "run").mkdir()
        self._number = 1000

    def start(self, *command: str, **how: Any) -> Job:
        """Start a job; see support.jobspecs."""
        how.setdefault("system", {"cwd": str(self.folder)})
        jobspec = make_jobspec(*command, **how)
        self._number += 1
        job = Job(self.host, jobspec, self._number)
        job.shell.run(make_r([0], how.get("tasks", 1)))
        return job

    async def run(self, *command: str, **how: Any) -> Job:
        job = self.start(*command, **how)
        await job.status()
        return job


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs]:
    with no_leaks():
        made = Jobs(tmp_path)
        yield made
        made.host.spawner.close()
        await made.host.sweeper.finish()
    assert os.listdir(tmp_path / "run") == []


async def test_a_command_runs(jobs: Jobs) -> None:
    job = await jobs.run("sh", "-c", "echo out; echo err >&2; exit 4")
    assert [kind for kind, _ in job.reports if kind != "output"] == [
        "layout",
        "started",
        "exit",
        "finished",
    ]
    assert job.text() == "out\n"
    assert job.text("stderr") == "err\n"
    assert await job.status() == 4 << 8
    assert job.of("layout") == [
        {"taskmap": [[0, 1, 1, 1]], "ntasks": 1, "files": {}, "stdin": True}
    ]


async def test_tasks_have_their_own_environment(jobs: Jobs) -> None:
    show = 'echo "$FLUX_TASK_RANK $FLUX_TASK_LOCAL_ID $FLUX_JOB_SIZE $PMI_RANK $PMI_SIZE $A"'
    job = await jobs.run("sh", "-c", show, tasks=3, environment={"A": "b c"})
    assert [job.text(rank=rank) for rank in range(3)] == [
        "0 0 3 0 3 b c\n",
        "1 1 3 1 3 b c\n",
        "2 2 3 2 3 b c\n",
    ]


async def test_a_task_has_a_directory_of_its_own_while_the_job_runs(jobs: Jobs) -> None:
    job = await jobs.run("sh", "-c", 'cd "$FLUX_JOB_TMPDIR" && touch x && mkdir y && pwd')
    assert job.text() == f"{jobs.folder}/run/jobtmp-0-ƒJG\n"
    await settled(lambda: not os.listdir(jobs.folder / "run"))  # a thread removes what is in it


async def test_a_script_may_come_along(jobs: Jobs) -> None:
    script = {"mode": 0o100700, "encoding": "utf-8", "data": "#!/bin/sh\necho here\n"}
    system = {"cwd": "/tmp", "files": {"script": script}}
    job = await jobs.run("{{tmpdir}}/script", system=system)
    assert job.text() == "here\n"
    await settled(lambda: not os.listdir(jobs.folder / "run"))
    job = await jobs.run("true", system={**system, "files": {"script": 5}})
    assert await job.status() == 1 << 8


async def test_words_of_the_command_may_be_templates(jobs: Jobs) -> None:
    job = await jobs.run("echo", "{{id.dec}}", "{{taskid}}/{{size}}", "{{x}}", tasks=2)
    assert job.text(rank=1) == "1001 1/2 {{x}}\n"


async def test_output_comes_while_the_task_runs(jobs: Jobs) -> None:
    job = jobs.start("sh", "-c", READY + "read x; echo got $x; sleep 100")
    await job.until_output("ready")
    job.shell.input({"stream": "stdin", "rank": "all", "data": "this\n"})
    await job.until_output("got this")
    job.shell.signal(signal.SIGTERM)
    assert await job.status() == 143 << 8


async def test_input_ends_where_it_ends(jobs: Jobs) -> None:
    job = jobs.start("cat", tasks=2)
    job.shell.input({"stream": "stdin", "rank": "0", "data": "zero\n"})
    job.shell.input({"stream": "stdin", "rank": "all", "data": "both\n", "eof": True})
    await job.status()
    assert job.text(rank=0) == "zero\nboth\n"
    assert job.text(rank=1) == "both\n"


async def test_input_may_be_more_than_a_pipe_holds(jobs: Jobs) -> None:
    job = jobs.start("wc", "-c")
    for _ in range(8):
        job.shell.input({"stream": "stdin", "rank": "all", "data": "x" * 100_000})
    job.shell.input({"stream": "stdin", "rank": "all", "eof": True})
    await job.status()
    assert job.text() == "800000\n"


async def test_much_output_waits_for_credit_and_none_is_lost(jobs: Jobs) -> None:
    size = 3 * WINDOW
    job = jobs.start("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' 'a'")
    total = credited = 0
    while not job.of("finished"):
        await job.more()
        total = sum(what["size"] for what in job.of("output"))
        assert total - credited <= WINDOW + (1 << 17)
        job.shell.credit(total - credited)
        credited = total
    assert job.data() == b"a" * size


async def test_binary_output_is_kept(jobs: Jobs) -> None:
    data = bytes(range(256)) * 40
    (jobs.folder / "in").write_bytes(data)
    job = await jobs.run("cat", "in")
    assert job.data() == data


async def test_what_does_not_exist_is_said(jobs: Jobs) -> None:
    job = await jobs.run("nosuchprogram", "x", tasks=2)
    assert job.of("fatal") == [
        {
            "rank": 0,
            "message": "task 0 (host host0): start failed: nosuchprogram:"
            " No such file or directory",
            "code": 127,
        }
    ]
    assert await job.status() == 127 << 8


async def test_signals_reach_all_of_a_tasks_processes(jobs: Jobs) -> None:
    job = jobs.start("sh", "-c", READY + "sleep 100 & wait")
    await job.until_output("ready")
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


async def test_a_missing_directory_is_replaced_and_complained_about(jobs: Jobs) -> None:
    job = await jobs.run("pwd", system={"cwd": "/nonexistent"})
    assert job.text() == "/tmp\n"
    (said,) = job.of("log")
    assert said["message"] == (
        "host host0: Could not change dir to /nonexistent: No such file or directory."
        " Going to /tmp instead"
    )
    assert said["level"] == 3


async def test_output_goes_to_a_file_and_input_comes_from_one(jobs: Jobs) -> None:
    (jobs.folder / "in").write_text("one\ntwo\n")
    output = {"stdout": {"path": "out.{{taskid}}"}, "stderr": {"type": "kvs"}}
    script = "cat; echo err >&2"
    job = await jobs.run(
        "sh", "-c", script, tasks=2, output=output, input={"stdin": {"type": "file", "path": "in"}}
    )
    assert (jobs.folder / "out.1").read_text() == "one\ntwo\n"
    assert job.text() == ""
    assert job.text("stderr", rank=1) == "err\n"
    assert job.of("layout")[0]["files"] == {"stdout": "out.{{taskid}}"}
    assert job.of("layout")[0]["stdin"] is False


def from_file(path: str) -> dict[str, Any]:
    return {"stdin": {"type": "file", "path": path}}


async def test_a_fifo_holds_up_its_own_job_alone(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    assert (await jobs.run("echo", "meanwhile")).text() == "meanwhile\n"
    assert job.reports == []
    with fifo.open("w") as file:
        file.write("at last\n")
    assert await job.status() == 0
    assert job.text() == "at last\n"


async def test_output_waits_for_the_reader_of_its_fifo(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("echo", "hello", output={"stdout": {"path": "fifo"}})
    text = await asyncio.to_thread(fifo.read_text)
    assert text == "hello\n"
    assert await job.status() == 0


async def test_a_job_whose_output_nobody_reads_can_be_killed(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    script = "yes | head -c 300000; echo done >&2"
    output = {"stdout": {"path": "fifo"}, "stderr": {"type": "kvs"}}
    job = jobs.start("sh", "-c", script, output=output)
    while job.text("stderr") != "done\n":
        await job.more()
    assert job.of("finished") == [], "there is no room for all of it"
    job.shell.signal(signal.SIGKILL, final=True)
    assert await job.status() == 0
    os.close(reader)


async def test_output_that_nobody_will_read_is_complained_about(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("sh", "-c", "read go; echo x", output={"stdout": {"path": "fifo"}})
    os.close(os.open(fifo, os.O_RDONLY))
    while not job.of("started"):
        await job.more()
    job.shell.input({"stream": "stdin", "rank": "all", "data": "go\n"})
    assert await job.status() == 0
    assert "write: Broken pipe" in [said["message"] for said in job.of("log")]


async def test_a_job_whose_files_do_not_open_can_be_killed(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    job.shell.signal(signal.SIGTERM)
    job.shell.signal(signal.SIGKILL, final=True)
    assert await job.status() == signal.SIGKILL
    assert [kind for kind, _what in job.reports] == ["finished"]
    fifo.open("w").close()  # what opens after all is closed again
    await settled(lambda: "open" not in [thread.name for thread in threading.enumerate()])


async def test_a_signal_while_files_are_opened_is_for_the_tasks(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    job.shell.signal(signal.SIGTERM)
    with fifo.open("w"):
        assert await job.status() == 128 + signal.SIGTERM << 8


async def test_a_hostfile_that_is_a_fifo_is_an_empty_one(jobs: Jobs) -> None:
    os.mkfifo(jobs.folder / "fifo")
    taskmap = {"scheme": "hostfile", "value": str(jobs.folder / "fifo")}
    job = await jobs.run("true", taskmap=taskmap)
    assert "failed to map tasks with scheme=hostfile" in job.of("fatal")[0]["message"]


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (
            {"input": {"stdin": {"type": "file", "path": "nosuch"}}},
            "error opening input file 'nosuch': No such file or directory",
            1,
        ),
        (
            {"input": {"stdin": {"type": "file", "path": "a\0b"}}},
            "error opening input file 'a\0b': Invalid argument",
            1,
        ),
        ({"output": {"stdout": {"path": "a\0b"}}}, "shell_init: No such file or directory", 1),
        ({"taskmap": {"scheme": "foo"}}, "failed to map tasks with scheme=foo", 1),
        ({"exit_timeout": "zz"}, "shell_init: No such file or directory", 1),
        (
            {"taskmap": {"scheme": "hostfile", "value": "/nonexistent"}},
            "failed to map tasks with scheme=hostfile",
            1,
        ),
        ({"output": {"stdout": {"path": "no/out"}}}, "shell_init: No such file or directory", 1),
    ],
)
async def test_a_shell_that_cannot_begin_says_why_and_runs_nothing(
    jobs: Jobs, options: dict[str, Any], message: str, code: int
) -> None:
    job = await jobs.run("true", **options)
    (fatal,) = job.of("fatal")
    assert fatal["message"] == message
    assert await job.status() == code << 8
    assert job.of("layout") == []
    assert job.of("exit") == []


async def test_other_limits_are_set_before_the_program_runs(jobs: Jobs) -> None:
    job = await jobs.run("sh", "-c", "ulimit -n", rlimit={"nofile": 123})
    assert job.text() == "123\n"


async def test_tasks_are_bound_to_their_cores(jobs: Jobs) -> None:
    show = "sed -n 's/Cpus_allowed_list:.//p' /proc/self/status"
    job = await jobs.run("sh", "-c", show)
    assert job.text() == f"{min(os.sched_getaffinity(0))}\n"
    job = await jobs.run("sh", "-c", show, cpu_affinity="off")
    with open("/proc/self/status") as status:
        (allowed,) = [line.split()[1] for line in status if line.startswith("Cpus_allowed_list")]
    assert job.text() == f"{allowed}\n"


async def test_a_pmi_client_is_served(jobs: Jobs) -> None:
    program = (
        "import os, socket\n"
        "s = socket.socket(fileno=int(os.environ['PMI_FD'])).makefile('rw', newline='\\n')\n"
        "def ask(line):\n"
        "    s.write(line + '\\n'); s.flush(); return s.readline().strip()\n"
        "rank = os.environ['PMI_RANK']\n"
        "print(ask('cmd=init pmi_version=1 pmi_subversion=1'))\n"
        "print(ask(f'cmd=put kvsname=k key=k{rank} value=v{rank}'))\n"
        "print(ask('cmd=barrier_in'))\n"
        "print(ask(f'cmd=get kvsname=k key=k{1 - int(rank)}'))\n"
        "print(ask('cmd=get kvsname=k key=PMI_process_mapping'))\n"
        "print(ask('cmd=get kvsname=k key=flux.instance-level'))\n"
        "print(ask('cmd=finalize'))\n"
    )
    job = await jobs.run(sys.executable, "-c", program, tasks=2)
    assert job.text(rank=0).splitlines() == [
        "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1",
        "cmd=put_result rc=0",
        "cmd=barrier_out rc=0",
        "cmd=get_result rc=0 value=v1",
        "cmd=get_result rc=0 value=(vector,(0,1,2))",
        "cmd=get_result rc=0 value=1",
        "cmd=finalize_ack rc=0",
    ]


async def test_a_signal_before_the_start_is_not_lost(jobs: Jobs) -> None:
    job = jobs.start("sleep", "100", tasks=3)
    job.shell.signal(signal.SIGTERM)
    assert await job.status() == 143 << 8


async def test_many_jobs_leave_nothing(jobs: Jobs) -> None:
    running = [jobs.start("true") for _ in range(30)]
    assert [await job.status() for job in running] == [0] * 30


async def test_a_task_that_was_watched_before_its_end_is_read_to_its_end(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_WATCH_DELAY", 0.0)
    job = await jobs.run("sh", "-c", "for i in 1 2 3 4 5; do echo $i; done", tasks=2)
    assert job.text(rank=0) == job.text(rank=1) == "1\n2\n3\n4\n5\n"
