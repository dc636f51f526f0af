"""Shells with real tasks: what tasks are started with, and shells that cannot begin."""

import os
import sys
from typing import Any

import pytest

from support.shell_jobs import Jobs, settled


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


async def test_what_a_task_has_told_pmi_before_its_end_is_heard(jobs: Jobs) -> None:
    for _ in range(3):
        job = await jobs.run("bash", "-c", "echo cmd=abort exitcode=42 error_msg=boom >&$PMI_FD")
        assert job.of("abort") == [{"message": "PMI_Abort: boom"}]


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


async def test_a_missing_directory_is_replaced_and_complained_about(jobs: Jobs) -> None:
    job = await jobs.run("pwd", system={"cwd": "/nonexistent"})
    assert job.text() == "/tmp\n"
    (said,) = job.of("log")
    assert said["message"] == (
        "host host0: Could not change dir to /nonexistent: No such file or directory."
        " Going to /tmp instead"
    )
    assert said["level"] == 3


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


async def test_many_jobs_leave_nothing(jobs: Jobs) -> None:
    running = [jobs.start("true") for _ in range(30)]
    assert [await job.status() for job in running] == [0] * 30
