"""flux-core's commands run jobs in an instance of ours (CONTRACTS D11, D12, D20, D21)."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.flux_core_instance import find_flux_core
from support.instance import Instance, start

pytestmark = [pytest.mark.interop, pytest.mark.slow]


class Commands:
    """flux-core's flux in our instance."""

    def __init__(self, instance: Instance, program: str) -> None:
        self.instance = instance
        self.program = program

    def __call__(self, *args: str, stdin: str = "", status: int = 0) -> str:
        """What a command prints; it must end with ``status``."""
        done = self.instance.flux(*args, program=self.program, stdin=stdin)
        assert done.returncode == status, done.stderr
        return done.stdout

    def stderr(self, *args: str, status: int = 0) -> str:
        done = self.instance.flux(*args, program=self.program)
        assert done.returncode == status, done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def flux() -> Iterator[Commands]:
    program = find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")
    with start(2) as instance:
        yield Commands(instance, program)


def test_a_job_runs(flux: Commands) -> None:
    assert flux("run", "echo", "hello") == "hello\n"
    script = "echo $FLUX_TASK_RANK of $FLUX_JOB_SIZE on $FLUX_JOB_NNODES"
    lines = flux("run", "-l", "-N2", "-n4", "sh", "-c", script).splitlines()
    assert sorted(lines) == [f"{rank}: {rank} of 4 on 2" for rank in range(4)]


def test_exit_codes_and_signals(flux: Commands) -> None:
    flux("run", "sh", "-c", "exit 3", status=3)
    flux("run", "sh", "-c", "kill -USR1 $$", status=138)
    said = flux.stderr("run", "nosuchprogram", status=127)
    assert "start failed: nosuchprogram: No such file or directory" in said


def test_standard_input(flux: Commands) -> None:
    assert flux("run", "cat", stdin="some\ntext\n") == "some\ntext\n"
    lines = flux("run", "-l", "-N2", "-n2", "--input=1", "cat", stdin="x\n")
    assert lines == "1: x\n"


def test_time_runs_out(flux: Commands) -> None:
    said = flux.stderr("run", "-t", "0.1s", "sleep", "100", status=142)
    assert "type=timeout severity=0 resource allocation expired" in said


def test_a_job_is_attached_to(flux: Commands) -> None:
    jobid = flux("submit", "sh", "-c", "echo out; exit 2").strip()
    assert flux("job", "attach", jobid, status=2) == "out\n"
    flux("job", "status", jobid, status=2)
    names = [line.split()[1] for line in flux("job", "eventlog", jobid).splitlines()]
    assert names == [
        *("submit", "validate", "depend", "priority", "alloc"),
        *("start", "finish", "release", "free", "clean"),
    ]
    said = flux.stderr("job", "attach", "-EX", jobid, status=2)
    for name in ("exec.init", "exec.shell.init", "exec.shell.task-exit", "exec.done", "job.clean"):
        assert f"{name}" in said
    assert "shell.init" in flux(
        "job", "wait-event", "-p", "guest.exec.eventlog", jobid, "shell.init"
    )


def test_a_job_is_followed_while_it_runs(flux: Commands) -> None:
    jobid = flux("submit", "sh", "-c", "echo ready; sleep 100").strip()
    flux("job", "wait-event", "-t", "10", "-p", "guest.output", jobid, "data")
    flux("job", "kill", "-s", "USR1", jobid)
    flux("job", "attach", jobid, status=138)
    jobid = flux("submit", "sleep", "100").strip()
    flux("job", "wait-event", "-t", "10", jobid, "start")
    flux("cancel", jobid)
    assert "type=cancel" in flux.stderr("job", "attach", jobid, status=143)


def test_jobs_are_listed(flux: Commands) -> None:
    jobid = flux("submit", "--job-name=listed", "-N2", "-n2", "true").strip()
    flux("job", "attach", jobid)
    fields = "{id} {name} {status} {ntasks} {nnodes} {ranks} {returncode}"
    lines = flux("jobs", "-a", "-n", "-o", fields).splitlines()
    assert f"{jobid} listed COMPLETED 2 2 [0-1] 0" in lines
    dec = flux("job", "id", jobid).strip()
    (mine,) = [
        each
        for each in map(json.loads, flux("job", "list", "-a").splitlines())
        if each["id"] == int(dec)
    ]
    assert mine["success"] is True
    assert mine["ranks"] == "[0-1]"
    assert json.loads(flux("job", "list-ids", jobid))["name"] == "listed"
    stats = json.loads(flux("job", "stats"))
    assert stats["successful"] > 0


def test_values_of_a_job(flux: Commands) -> None:
    jobid = flux("submit", "-n2", "-t", "1m", "true").strip()
    flux("job", "attach", jobid)
    r = json.loads(flux("job", "info", jobid, "R"))
    assert r["execution"]["expiration"] > r["execution"]["starttime"]
    assert json.loads(flux("job", "info", jobid, "jobspec"))["version"] == 1
    assert json.loads(flux("job", "taskmap", jobid)) == [[0, 1, 2, 1]]


def test_many_jobs(flux: Commands) -> None:
    ids = flux("submit", "--wait", "--cc=1-20", "true").split()
    assert len(set(ids)) == 20
    out = flux("bulksubmit", "--watch", "echo", "{}", ":::", "a", "b")
    assert {"a", "b"} <= set(out.split())


def test_output_files(flux: Commands, tmp_path: Path) -> None:
    flux("run", f"--output={tmp_path}/out", "--label-io", "-N2", "-n2", "echo", "x")
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["0: x", "1: x"]


def test_jobs_of_the_mock(flux: Commands) -> None:
    flux("run", "--setattr=exec.test.run_duration=0.01s", "nothing")
    said = flux.stderr("run", "--setattr=exec.test.mock_exception=init", "nothing", status=1)
    assert "mock initialization exception generated" in said


def test_an_instance_of_flux_core_is_a_job(flux: Commands) -> None:
    inner = f"{flux.program} getattr size; {flux.program} run -N2 echo inside"
    out = flux("run", "-N2", "-n2", flux.program, "start", "sh", "-c", inner)
    assert out == "2\ninside\ninside\n"


def test_a_batch_script_is_a_job(flux: Commands, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nflux getattr size\n")
    jobid = flux("batch", "-n2", f"--output={tmp_path}/out", str(script)).strip()
    flux("job", "attach", jobid)
    assert (tmp_path / "out").read_text() == "1\n"


MPI = r"""
#include <mpi.h>
#include <stdio.h>
int main (int argc, char **argv)
{
    int rank, size, sum;
    MPI_Init (&argc, &argv);
    MPI_Comm_rank (MPI_COMM_WORLD, &rank);
    MPI_Comm_size (MPI_COMM_WORLD, &size);
    MPI_Allreduce (&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf ("%d of %d: %d\n", rank, size, sum);
    MPI_Finalize ();
    return 0;
}
"""


def test_an_mpi_program_runs(tmp_path: Path) -> None:
    mpicc = shutil.which("mpicc")
    if mpicc is None or not shutil.which("mpichversion"):
        pytest.skip("MPICH is not installed")
    (tmp_path / "hello.c").write_text(MPI)
    program = tmp_path / "hello"
    subprocess.run([mpicc, "-o", str(program), str(tmp_path / "hello.c")], check=True)
    with start(2) as instance:
        done = instance.flux("run", "-N2", "-n4", str(program))
        assert sorted(done.stdout.splitlines()) == [f"{rank} of 4: 6" for rank in range(4)]
