"""Jobs and the life of an instance: real brokers, real jobs, our own commands."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from fluxcore.handle.blocking import Flux
from support.instance import Instance, start

pytestmark = pytest.mark.slow


def flux(instance: Instance, *args: str) -> str:
    done = instance.flux(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def events(instance: Instance, jobid: str) -> list[str]:
    return [line.split()[1] for line in flux(instance, "job", "eventlog", jobid).splitlines()]


def jobs(instance: Instance) -> dict[str, str]:
    """The status of every job."""
    lines = flux(instance, "jobs", "-ano", "{id} {status}").splitlines()
    return dict(line.split() for line in lines)


def test_an_instance_that_goes_down_ends_what_runs_and_keeps_what_waits(short_path: Path) -> None:
    statedir = f"-Sstatedir={short_path}"
    with start(2, statedir) as instance:
        done = flux(instance, "submit", "--wait", "true")
        running = flux(instance, "submit", "--wait-event=start", "sleep", "1000")
        waiting = flux(instance, "submit", "--urgency=hold", "true")
        assert jobs(instance) == {done: "COMPLETED", running: "RUN", waiting: "SCHED"}
    with start(2, statedir) as instance:
        assert jobs(instance) == {done: "COMPLETED", running: "CANCELED", waiting: "SCHED"}
        assert events(instance, running)[-4:] == ["finish", "release", "free", "clean"]
        flux(instance, "job", "urgency", waiting, "default")
        flux(instance, "job", "wait-event", waiting, "clean")
        assert events(instance, waiting).count("flux-restart") == 1
        new = flux(instance, "submit", "--wait", "true")
        assert list(jobs(instance)) == [new, waiting, running, done]


def test_a_signal_to_the_leader_is_passed_on_to_jobs(short_path: Path) -> None:
    script = "trap 'exit 7' USR1; echo ready; sleep 1000 & wait"
    with start(2, f"-Sstatedir={short_path}") as instance:
        job = flux(instance, "submit", "-N2", "sh", "-c", script)
        flux(instance, "job", "wait-event", "-p", "guest.output", "-c2", job, "data")
        os.kill(int(flux(instance, "getattr", "broker.pid")), signal.SIGUSR1)
        finish = flux(instance, "job", "wait-event", job, "finish")
        assert finish.endswith("finish status=1792")


def test_tasks_that_do_not_want_to_end_are_killed(short_path: Path) -> None:
    """After five seconds; the instance would not end before them."""
    stubborn = "trap '' TERM; sleep 1000; sleep 1000"
    with start(1, f"-Sstatedir={short_path}") as instance:
        flux(instance, "submit", "--wait-event=start", "sh", "-c", stubborn)


def test_a_broker_that_is_lost_fails_its_jobs(short_path: Path) -> None:
    with start(3, f"-Sstatedir={short_path}", exit_code=137) as instance:
        # cat ends when nobody is left to write to it: what a killed broker has started lives on.
        everywhere = flux(instance, "submit", "-N3", "--wait-event=start", "cat")
        leader = flux(instance, "submit", "-n1", "--urgency=31", "sleep", "1000")
        kill_broker(instance, 2)
        flux(instance, "job", "wait-event", everywhere, "clean")
        assert "exception" in events(instance, everywhere)
        assert jobs(instance)[everywhere] == "FAILED"
        flux(instance, "job", "wait-event", leader, "start")
        flux(instance, "run", "-N2", "-n2", "true")
        done = instance.flux("run", "-N3", "-n3", "true")
        assert "unsatisfiable request" in done.stderr


def kill_broker(instance: Instance, rank: int) -> None:
    with closing(Flux(instance.uri)) as handle:
        answer = handle.rpc("attr.get", {"name": "broker.pid"}, nodeid=rank)
    os.kill(int(answer.json["value"]), signal.SIGKILL)
