"""Keys and jobs by the commands alone, in an instance of our own brokers that they fill."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import FLUX, Instance, start

pytestmark = pytest.mark.slow

MODULES = (
    ["content"],
    ["content-sqlite"],
    ["kvs"],
    ["kvs-watch"],
    ["resource", "noverify"],
    ["job-info"],
    ["job-manager"],
    ["job-ingest"],
    ["sched-simple"],
    ["job-exec"],
)


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with start(1, "-Sbroker.rc1_path=", "-Sbroker.rc3_path=") as made:
        for module in MODULES:
            told(made, "module", "load", *module)
        yield made
        for module in reversed(MODULES):
            told(made, "module", "remove", module[0])


def told(instance: Instance, *args: str, stdin: str = "") -> str:
    """What a command prints that has nothing to complain of."""
    done = instance.flux(*args, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def events(instance: Instance, job: str, last: str) -> list[str]:
    """The names in a job's eventlog, once ``last`` is among them."""
    told(instance, "job", "wait-event", job, last)
    key = told(instance, "job", "id", "--to=kvs", job).strip()
    return re.findall(r'"name":"([^"]+)"', told(instance, "kvs", "get", "--raw", f"{key}.eventlog"))


def test_what_is_put_is_there_until_it_is_unlinked(instance: Instance) -> None:
    told(instance, "kvs", "put", "a.b=1", "a.c=text", "a.d={}")
    assert told(instance, "kvs", "get", "a.b", "a.d") == "1\n{}\n"
    assert told(instance, "kvs", "ls", "-1F", "a") == "b\nc\nd\n"
    assert told(instance, "kvs", "dir", "a") == "a.b = 1\na.c = text\na.d = {}\n"
    told(instance, "kvs", "unlink", "-R", "a")
    gone = instance.flux("kvs", "get", "a.b")
    assert (gone.returncode, gone.stderr) == (1, "flux-kvs: a.b: No such file or directory\n")


def test_bytes_come_back_as_they_were(instance: Instance) -> None:
    told(instance, "kvs", "put", "--raw", "raw=-", stdin="two\nlines")
    assert told(instance, "kvs", "get", "--raw", "raw") == "two\nlines"


def test_a_directory_is_made_linked_and_moved(instance: Instance) -> None:
    told(instance, "kvs", "mkdir", "from")
    told(instance, "kvs", "put", "from.x=1")
    told(instance, "kvs", "link", "from", "to")
    assert told(instance, "kvs", "readlink", "to") == "from\n"
    assert told(instance, "kvs", "get", "to.x") == "1\n"
    told(instance, "kvs", "move", "from", "there")
    assert told(instance, "kvs", "get", "there.x") == "1\n"


def test_a_namespace_has_keys_of_its_own(instance: Instance) -> None:
    told(instance, "kvs", "namespace", "create", "own")
    told(instance, "kvs", "put", "-N", "own", "key=1")
    assert instance.flux("kvs", "get", "key").returncode == 1
    assert told(instance, "kvs", "get", "-N", "own", "key") == "1\n"
    told(instance, "kvs", "namespace", "remove", "own")


def test_a_submitted_job_runs(instance: Instance, tmp_path: Path) -> None:
    job = told(instance, "submit", "--cwd", str(tmp_path), "sh", "-c", "echo $0 > out", "me")
    assert re.fullmatch(r"ƒ[1-9A-HJ-NP-Za-km-z]+\n", job)
    assert events(instance, job.strip(), "clean")[-1] == "clean"
    assert (tmp_path / "out").read_text() == "me\n"


def test_events_are_shown_whole(instance: Instance) -> None:
    done = instance.flux("submit", "-vv", "--wait", "true")
    shown = re.findall(r": \d+\.\d+s: (\w+) (.*)", done.stderr)
    assert ("validate", "") in shown
    assert ("finish", '{"status":0}') in shown
    assert json.loads(dict(shown)["alloc"])["annotations"]["sched"]


def test_a_jobs_numbers_are_one_job(instance: Instance) -> None:
    job = told(instance, "submit", "true").strip()
    decimal = told(instance, "job", "id", "--to=dec", job).strip()
    assert told(instance, "job", "id", "--to=f58", decimal).strip() == job
    assert told(instance, "job", "last").strip() == job


def test_a_held_job_waits_until_its_urgency_is_set(instance: Instance) -> None:
    job = told(instance, "submit", "--urgency=hold", "true").strip()
    assert "alloc" not in events(instance, job, "priority")
    told(instance, "job", "urgency", job, "default")
    assert "finish" in events(instance, job, "clean")


@pytest.mark.parametrize(
    "command", [["job", "cancel"], ["job", "raise", "-s0", "-tother"]], ids=lambda c: c[1]
)
def test_a_running_job_is_ended(instance: Instance, command: list[str]) -> None:
    job = told(instance, "submit", "sleep", "300").strip()
    events(instance, job, "start")
    told(instance, *command, job)
    assert "exception" in events(instance, job, "clean")


def test_a_running_job_is_sent_a_signal(instance: Instance) -> None:
    job = told(instance, "submit", "sleep", "300").strip()
    events(instance, job, "start")
    told(instance, "job", "kill", "-sTERM", job)
    assert "exception" not in events(instance, job, "clean")


@pytest.mark.parametrize("verb", ["cancel", "raise", "kill"])
def test_nothing_is_done_to_a_job_that_ended(instance: Instance, verb: str) -> None:
    job = told(instance, "submit", "true").strip()
    events(instance, job, "clean")
    done = instance.flux("job", verb, job)
    assert done.returncode == 1
    assert done.stderr.startswith("flux-job: ")


def test_many_jobs_are_submitted_at_once(instance: Instance, tmp_path: Path) -> None:
    jobs = told(instance, "submit", "--cc=1-5", "--cwd", str(tmp_path), "touch", "{cc}").split()
    assert len(set(jobs)) == 5
    for job in jobs:
        events(instance, job, "clean")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1", "2", "3", "4", "5"]


def test_a_job_need_not_read_its_input(instance: Instance) -> None:
    """It is over before ``flux run`` knows where to send it."""
    for _ in range(3):
        assert told(instance, "run", "true", stdin="1\n2\n") == ""


def test_a_job_that_reads_a_file_is_followed_to_its_end(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text("from the file\n")
    told_ = told(instance, "run", f"--input={file}", "sh", "-c", "sleep 0.1; cat")
    assert told_ == "from the file\n"


def test_who_reads_the_output_may_have_enough(instance: Instance, tmp_path: Path) -> None:
    script = f"seq 20000; sleep 0.1; touch {tmp_path}/finished"
    line = f"{FLUX} run sh -c '{script}' | head -n 1; echo ${{PIPESTATUS[@]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=instance.environ, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("1\n0 0\n", "")
    assert (tmp_path / "finished").exists()
