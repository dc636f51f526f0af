"""``flux cancel``, in a whole instance."""

from collections.abc import Iterator

import pytest

from support.instance import Instance, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with start(1) as made:
        yield made


def submit(instance: Instance, *args: str) -> str:
    return instance.flux("submit", *args).stdout.strip()


def ended(instance: Instance, job: str) -> str:
    """The exceptions of a job that has ended."""
    assert instance.flux("job", "wait-event", job, "clean").returncode == 0
    log = instance.flux("job", "eventlog", job).stdout
    return "".join(line.partition(" ")[2] for line in log.splitlines() if " exception " in line)


def says(instance: Instance, *args: str) -> tuple[int, str]:
    done = instance.flux("cancel", *args)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_named_jobs(instance: Instance) -> None:
    held, running = submit(instance, "--urgency=0", "true"), submit(instance, "sleep", "100")
    assert says(instance, "-n", held, running) == (0, "flux-cancel: Would cancel 2 jobs\n")
    assert says(instance, "-m", "no more", held, running) == (0, "")
    for job in (held, running):
        assert ended(instance, job).startswith('exception type="cancel" severity=0 note="no more"')
    assert says(instance, held, "1234") == (
        1,
        f"flux-cancel: ERROR: {held}: job is inactive\nflux-cancel: ERROR: ƒNH: unknown job id\n",
    )


def test_matching_jobs(instance: Instance) -> None:
    jobs = [submit(instance, "--urgency=0", "true") for _ in range(2)]
    assert says(instance, "--states=run,cleanup") == (0, "flux-cancel: Matched 0 jobs\n")
    assert says(instance, "-q", "-S", "running") == (0, "")
    assert says(instance, "-n", "-S", "pending") == (0, "flux-cancel: Would cancel 2 jobs\n")
    assert says(instance, "-u", "all") == (0, "flux-cancel: Canceled 2 jobs (0 errors)\n")
    for job in jobs:
        assert "cancel" in ended(instance, job)
    last = submit(instance, "--urgency=0", "true")
    assert says(instance, "--all", "-u", "12345") == (0, "flux-cancel: Matched 0 jobs\n")
    assert says(instance, "--all") == (0, "flux-cancel: Canceled 1 job (0 errors)\n")
    assert "cancel" in ended(instance, last)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "No target jobs were provided"),
        (
            ["--all", "1234"],
            "Do not specify a list of jobids with --all,--user,--states options",
        ),
        (["-S", "pend"], "Invalid state pend specified"),
        (["-u", "no such"], "Invalid user no such specified"),
    ],
)
def test_what_is_wrong(instance: Instance, args: list[str], text: str) -> None:
    assert says(instance, *args) == (1, f"flux-cancel: ERROR: {text}\n")


def test_what_is_no_job_id(instance: Instance) -> None:
    status, text = says(instance, "1-2")
    assert status == 2
    assert text.endswith("error: argument JOBID...: invalid JobID value: '1-2'\n")
