"""flux-core's own commands in an instance of ours, with real jobs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.flux_core_instance import find_flux_core
from support.instance import Instance, start

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SIZE = 4


class Commands:
    """flux-core's flux in our instance."""

    def __init__(self, instance: Instance, program: str) -> None:
        self._instance = instance
        self._program = program

    def run(self, *args: str, stdin: str = "") -> tuple[int, str, str]:
        """The exit code of a command, and what it has written."""
        done = self._instance.flux(*args, stdin=stdin, program=self._program)
        return done.returncode, done.stdout.rstrip("\n"), done.stderr.rstrip("\n")

    def __call__(self, *args: str) -> str:
        """What a command prints that succeeds."""
        code, out, err = self.run(*args)
        assert code == 0, err
        return out

    def refused(self, *args: str) -> str:
        """What a command complains of."""
        code, _out, err = self.run(*args)
        assert code != 0
        return err

    def events(self, jobid: str) -> list[str]:
        """The names of a job's events."""
        lines = self("job", "eventlog", "--format=json", jobid).splitlines()
        return [json.loads(line)["name"] for line in lines]

    def event(self, jobid: str, name: str) -> object:
        """The context of the first event of a name."""
        for line in self("job", "eventlog", "--format=json", jobid).splitlines():
            event = json.loads(line)
            if event["name"] == name:
                return event.get("context")
        raise AssertionError(f"no event {name}")

    def submit_running(self, *args: str) -> str:
        """A job that has started to sleep."""
        return self("submit", "--wait-event=start", *args, "sleep", "100")


@pytest.fixture(scope="module")
def flux() -> Iterator[Commands]:
    program = find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")
    path = f"{Path(program).parent}:/usr/bin:/bin"
    with start(SIZE, env={"PATH": path, "LC_ALL": "C.UTF-8"}) as instance:
        yield Commands(instance, program)


def test_a_job_runs_everywhere(flux: Commands) -> None:
    assert flux("run", "-N4", "-n4", "sh", "-c", "echo $FLUX_JOB_SIZE").split() == ["4"] * 4
    jobid = flux("job", "last")
    assert flux.events(jobid) == [
        *("submit", "validate", "depend", "priority", "alloc", "start", "finish", "release"),
        *("free", "clean"),
    ]
    assert flux("jobs", "-no", "{status} {ntasks} {nnodes} {returncode}", jobid) == (
        "COMPLETED 4 4 0"
    )
    r = json.loads(flux("job", "info", jobid, "R"))
    assert [child["rank"] for child in r["execution"]["R_lite"]] == ["0-3"]


def test_an_environment_reaches_the_tasks(flux: Commands) -> None:
    assert flux("run", "--env=SOME=thing", "sh", "-c", "echo $SOME") == "thing"


def test_failures_are_told(flux: Commands) -> None:
    assert flux.run("run", "sh", "-c", "exit 3")[0] == 3
    assert "nosuchprogram: No such file" in flux.refused("run", "nosuchprogram")
    jobid = flux("job", "last")
    assert flux("jobs", "-no", "{status} {exception.type}", jobid) == "FAILED exec"
    assert "resource allocation expired" in flux.refused("run", "-t0.2s", "sleep", "100")
    assert flux("jobs", "-no", "{status}", flux("job", "last")) == "TIMEOUT"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("-q", "nosuch"), "[Errno 22] 'nosuch' is not a valid queue"),
        (
            ("--dependency=afterok:123",),
            "[Errno 22] dependency: afterok: id 123: job not found",
        ),
        (("--dependency=foo:1",), '[Errno 22] dependency scheme "foo" not supported'),
        (
            ("--requires=host:nosuch",),
            "host constraint contains invalid hosts: host 'nosuch' not found",
        ),
    ],
)
def test_refused_submissions(flux: Commands, args: tuple[str, ...], text: str) -> None:
    assert text in flux.refused("submit", *args, "true")


def test_what_can_never_run_fails(flux: Commands) -> None:
    assert "type=alloc severity=0 unsatisfiable request" in flux.refused("run", "-N5", "true")


def test_jobs_are_ended(flux: Commands) -> None:
    jobid = flux.submit_running()
    flux("cancel", jobid, "-m", "enough")
    assert flux.run("job", "status", jobid)[0] == 143
    assert flux("jobs", "-no", "{status} {exception.note}", jobid) == "CANCELED enough"
    jobid = flux.submit_running()
    flux("job", "kill", "-s", "KILL", jobid)
    assert flux.run("job", "status", jobid)[0] == 137
    jobid = flux.submit_running()
    flux("job", "raise", "--severity=0", "--type=test", jobid, "bye")
    flux.refused("job", "status", jobid)
    context = {"type": "test", "severity": 0, "note": "bye", "userid": 0}
    assert flux.event(jobid, "exception") == context
    assert "job is inactive" in flux.refused("job", "kill", jobid)


def test_urgency_holds_a_job(flux: Commands) -> None:
    jobid = flux("submit", "--urgency=hold", "true")
    assert flux("jobs", "-no", "{status} {contextual_info}", jobid) == "SCHED held"
    flux("job", "memo", jobid, "a=b")
    assert flux("jobs", "-no", "{user.a}", jobid) == "b"
    flux("job", "urgency", jobid, "default")
    flux("job", "wait-event", jobid, "clean")
    assert "job is inactive" in flux.refused("job", "urgency", jobid, "1")


def test_waitable_jobs_and_dependencies(flux: Commands) -> None:
    waitable = "--flags=waitable"
    bad = flux("submit", waitable, "false")
    good = flux("submit", waitable, f"--dependency=afternotok:{bad}", "true")
    code, _out, err = flux.run("job", "wait", "--all")
    assert (code, err) == (1, f"{bad}: task(s) exited with exit code 1")
    assert flux.event(good, "dependency-add") == {"description": f"after-failure={bad}"}
    assert flux("jobs", "-no", "{status}", good) == "COMPLETED"


def test_a_running_jobs_time_is_changed(flux: Commands) -> None:
    jobid = flux.submit_running("-t1m")
    flux("update", jobid, "duration=10m")
    assert 590 < int(flux("job", "timeleft", jobid)) <= 600
    assert "resource-update" in flux.events(jobid)
    flux("cancel", jobid)
    flux("queue", "idle")


def test_queues(flux: Commands) -> None:
    flux("queue", "stop")
    assert flux("queue", "status") == "Job submission is enabled\nScheduling is stopped"
    jobid = flux("submit", "true")
    assert flux("jobs", "-no", "{status}", jobid) == "SCHED"
    flux("queue", "start")
    flux("queue", "drain")
    assert flux("jobs", "-no", "{status}", jobid) == "COMPLETED"
    flux("queue", "disable", "-m", "testing")
    assert "job submission is disabled: testing" in flux.refused("submit", "true")
    assert flux("queue", "status").startswith("Job submission is disabled: testing")
    flux("queue", "enable")
    assert flux("queue", "idle") == "0 jobs"


def test_resources(flux: Commands) -> None:
    listed = "resource", "list", "-no", "{state} {nnodes} {ncores}"
    cores = int(flux("resource", "list", "-s", "all", "-no", "{ncores}"))
    assert flux(*listed, "-s", "free") == f"free 4 {cores}"
    jobid = flux.submit_running("-N2", "--exclusive")
    assert flux(*listed, "-s", "allocated") == f"allocated 2 {cores // 2}"
    flux("cancel", jobid)
    flux("queue", "idle")
    assert flux(*listed, "-s", "allocated") == "allocated 0 0"


def test_drained_ranks_get_no_jobs(flux: Commands) -> None:
    flux("resource", "drain", "2", "out of order")
    assert re.fullmatch(
        r"\S+ +drained +2 +out of order",
        flux("resource", "drain", "-no", "{timestamp!D:h} {state} {ranks} {reason}"),
    )
    running = flux("submit", "-N3", "--wait", "true")
    assert flux("jobs", "-no", "{ranks}", running) == "[0-1,3]"
    waiting = flux("submit", "-N4", "hostname")
    assert flux("jobs", "-no", "{status}", waiting) == "SCHED"
    assert "rank 2 already drained" in flux.refused("resource", "drain", "2", "again")
    flux("resource", "undrain", "2")
    assert flux("job", "attach", waiting).count("\n") == 3
    assert "rank 2 not drained" in flux.refused("resource", "undrain", "2")
    names = flux("resource", "eventlog", "--format=json")
    assert [json.loads(line)["name"] for line in names.splitlines()][-2:] == ["drain", "undrain"]


def test_many_jobs(flux: Commands) -> None:
    flux("submit", "--cc=1-50", "--quiet", "--wait", "true")
    assert flux("jobs", "-c50", "-ano", "{status}").splitlines() == ["COMPLETED"] * 50


def test_inactive_jobs_are_purged(flux: Commands) -> None:
    flux("job", "purge", "--force", "--num-limit=3")
    assert len(flux("jobs", "-ano", "{id}").splitlines()) == 3


def test_the_scheduler_is_changed_under_a_running_job(flux: Commands) -> None:
    jobid = flux.submit_running("-N4", "--exclusive")
    flux("module", "reload", "sched-simple")
    waiting = flux("submit", "true")
    assert flux("jobs", "-no", "{status}", waiting) == "SCHED"
    flux("cancel", jobid)
    flux("job", "wait-event", waiting, "clean")
    assert flux("jobs", "-no", "{status}", waiting) == "COMPLETED"


def test_input_for_a_job_that_is_over(flux: Commands) -> None:
    for _ in range(5):  # flux-core's broker refuses it now and then
        assert flux.run("run", "true", stdin="1\n2\n3\n") == (0, "", "")
