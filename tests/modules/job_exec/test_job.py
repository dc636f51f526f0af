"""The life of a job without IO: by story, and by chance."""

import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fluxcore.job.taskmap import Taskmap
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.modules.job_exec.mock import MockTest
from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.modules.job_exec.port import Start, Timer
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.options import ShellOptions, SignalOptions
from support.jobspecs import make_jobspec, make_r

POLICY = ExecOptions()


class World:
    """A job's port: keeps what the job does."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Mapping[str, Any]]] = []
        self.told: list[tuple[list[int], str, Mapping[str, Any]]] = []
        self.timers: dict[Timer, float] = {}
        self.started = 0
        self.finalized = 0
        self.drained: list[tuple[str, str]] = []

    def answer(self, kind: str, data: Mapping[str, Any]) -> None:
        self.answers.append((kind, data))

    def start_shells(self) -> None:
        self.started += 1

    def tell_shells(self, ranks: Iterable[int], kind: str, data: Mapping[str, Any]) -> None:
        self.told.append((list(ranks), kind, data))

    def arm(self, timer: Timer, delay: float) -> None:
        assert delay >= 0
        self.timers[timer] = delay

    def disarm(self, timer: Timer) -> None:
        self.timers.pop(timer, None)

    def drain(self, ranks: IdSet, reason: str) -> None:
        self.drained.append((ranks.encode(), reason))

    def finalize(self) -> None:
        self.finalized += 1

    def said(self, kind: str) -> list[Mapping[str, Any]]:
        return [data for said, data in self.answers if said == kind]

    @property
    def signals(self) -> list[int]:
        return [data["signum"] for _, kind, data in self.told if kind == "signal"]


def make_job(
    world: World,
    ranks: Sequence[int] = (0,),
    *,
    mock: MockTest | None = None,
    policy: ExecOptions = POLICY,
    options: ShellOptions | None = None,
    **r: float,
) -> ExecJob:
    jobspec = make_jobspec("/bin/prog", "x", nodes=len(ranks), tasks=len(ranks))
    start = Start(1234, 100, jobspec, ResourceSet.from_json(make_r(ranks, **r)))
    return ExecJob(start, options or ShellOptions(), policy, world, mock)


def layout(ranks: int) -> tuple[str, dict[str, Any]]:
    taskmap = Taskmap.from_json([[0, ranks, 1, 1]])
    return "layout", {
        "taskmap": taskmap.to_json(),
        "ntasks": ranks,
        "files": {},
        "stdin": True,
    }


def exit_of(rank: int, status: int) -> tuple[str, dict[str, Any]]:
    return "exit", {"rank": rank, "wait_status": status}


def names(job: ExecJob) -> list[str]:
    """The events of execution that have not been written yet; they are then written."""
    tree = job.records.log.take_tree()
    lines = val_bytes(tree["data"]["exec"]["data"]["eventlog"]).splitlines()
    return [orjson.loads(line)["name"] for line in lines]


def running(world: World, ranks: Sequence[int] = (0,), **how: Any) -> ExecJob:
    """A job whose shells have all started."""
    job = make_job(world, ranks, **how)
    job.ready(10.0)
    for index, rank in enumerate(ranks):
        first = [layout(len(ranks))] if not index else []
        job.reports(rank, [*first, ("started", {})], 10.0)
    return job


def finish(job: ExecJob, rank: int = 0, status: int = 0) -> None:
    job.reports(rank, [exit_of(0, status), ("finished", {"status": status})], 20.0)


def test_a_job_runs() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    assert world.started == 1
    job.reports(0, [layout(2), ("started", {})], 1.0)
    assert world.answers == []
    job.reports(1, [("started", {})], 1.0)
    assert world.answers == [("start", {})]
    finish(job, 1)
    assert world.told == [([0], "alone", {})]
    assert world.answers == [("start", {})]
    finish(job, 0, 256)
    assert world.answers == [("start", {}), ("finish", {"status": 256})]
    assert world.finalized == 1
    assert names(job) == [
        *("starting", "shell.init", "shell.start", "shell.task-exit"),
        *("shell-exit", "complete", "done"),
    ]


def test_an_exception_before_its_start() -> None:
    world = World()
    job = make_job(world)
    job.exception("cancel", None, 1.0)
    assert world.answers == []
    assert world.finalized == 1
    job.ready(1.0)  # the namespace has come too late
    assert world.started == 0


def test_an_exception_ends_it_step_by_step() -> None:
    world = World()
    job = running(world)
    job.exception("cancel", None, 11.0)
    assert world.signals == [signal.SIGTERM]
    assert world.timers == {"kill": 5.0, "give-up": POLICY.give_up_after}
    job.expired("kill", 16.0)
    job.expired("kill", 21.0)
    assert world.signals == [signal.SIGTERM, signal.SIGKILL, signal.SIGKILL]
    finish(job, 0, 9)
    assert world.said("finish") == [{"status": 9}]
    assert world.timers == {}


def test_a_second_exception_signals_again_and_no_more() -> None:
    world = World()
    job = running(world)
    job.exception("cancel", None, 11.0)
    world.timers.clear()
    job.exception("timeout", None, 11.0)
    assert world.signals == [signal.SIGTERM, signal.SIGTERM]
    assert world.timers == {}


def test_its_own_exception_comes_back() -> None:
    world = World()
    job = running(world)
    job.fail("some reason", 11.0)
    job.exception("exec", None, 11.0)
    assert world.said("exception") == [{"severity": 0, "type": "exec", "note": "some reason"}]
    assert world.signals == [signal.SIGTERM]
    job.exception("exec", None, 12.0)  # this is another
    assert world.signals == [signal.SIGTERM, signal.SIGTERM]


def test_only_the_first_failure_is_told() -> None:
    world = World()
    job = running(world, (0, 1))
    job.fail("one", 11.0)
    job.fail("two", 11.0)
    assert [data["note"] for data in world.said("exception")] == ["one"]


def test_a_failed_job_has_not_succeeded() -> None:
    world = World()
    job = running(world)
    job.fail("reason", 11.0)
    finish(job, 0, 0)
    assert world.said("finish") == [{"status": 256}]


@pytest.mark.parametrize(
    ("given", "status"),
    # The last ones are of no process that has ended.
    [(0, 256), (9, 137 << 8), (3 << 8, 3 << 8), (0x137F, 256), (2**40, 256)],
)
def test_an_exception_may_say_the_status(given: int, status: int) -> None:
    world = World()
    job = running(world)
    job.exception("cancel", given, 11.0)
    assert world.signals == [signal.SIGTERM]
    finish(job, 0, 15)
    assert world.said("finish") == [{"status": status}]


def test_what_cannot_be_killed_is_left_and_its_node_drained() -> None:
    world = World()
    job = running(world, (0, 3))
    finish(job, 0, 0)
    job.exception("cancel", None, 11.0)
    job.expired("give-up", 700.0)
    assert world.drained == [("3", "unkillable user processes for job ƒNH")]
    assert world.said("finish") == [{"status": 1}]
    assert world.finalized == 1
    finish(job, 3, 9)  # at last
    job.lost(3, None, 900.0)
    assert world.finalized == 1


def test_a_lost_rank_is_fatal_if_it_is_needed() -> None:
    world = World()
    job = running(world, (0, 1))
    job.lost(1, None, 11.0)
    (said,) = world.said("exception")
    assert said == {"severity": 0, "type": "exec", "note": "node failure on host1 (rank 1)"}
    assert ([0], "alone", {}) in world.told
    finish(job, 0, 15)
    assert world.said("finish") == [{"status": 15}]


def test_a_lost_rank_that_is_not_needed_is_told_of() -> None:
    world = World()
    options = ShellOptions(exit_timeout=3.0)
    job = running(world, (0, 1), options=options)
    job.critical = IdSet([0])
    job.lost(1, None, 11.0)
    (said,) = world.said("exception")
    assert (said["type"], said["severity"]) == ("node-failure", 2)
    assert world.timers == {"exit": 3.0}
    job.expired("exit", 14.0)
    assert world.said("exception")[1]["note"] == (
        "prog: shell rank 1 on host host1 exited and exit-timeout=3s has expired"
    )


def test_a_rank_is_lost_before_all_have_started() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    job.reports(0, [layout(2), ("started", {})], 1.0)
    job.lost(1, "no reason", 2.0)
    assert [kind for kind, _ in world.answers] == ["exception", "start"]
    finish(job, 0, 15)
    assert world.finalized == 1


def test_its_time() -> None:
    world = World()
    job = running(world, starttime=9.9, expiration=110.0)
    assert world.timers == {"expiration": 100.0}
    job.set_expiration(20.0, 60.0)
    assert world.timers == {"expiration": 40.0}
    job.set_expiration(20.0, 10.0)
    assert world.timers == {"expiration": 0.0}
    job.set_expiration(20.0, 0.0)
    assert world.timers == {}
    job.expired("expiration", 30.0)
    assert world.said("exception")[0]["type"] == "timeout"
    assert world.signals == [signal.SIGALRM]


def test_a_job_that_starts_late_gets_the_time_back() -> None:
    world = World()
    running(world, starttime=4.0, expiration=14.0)  # 6 of its 10 seconds
    assert world.timers == {"expiration": 10.0}
    policy = ExecOptions(max_start_delay_percent=70.0)
    running(world, starttime=4.0, expiration=14.0, policy=policy)
    assert world.timers == {"expiration": 4.0}


def test_a_signal_comes_before_its_time_is_over() -> None:
    world = World()
    options = ShellOptions(signal=SignalOptions(signal.SIGUSR2, 30.0))
    job = running(world, starttime=10.0, expiration=110.0, options=options)
    assert world.timers == {"expiration": 100.0, "signal": 70.0}
    job.expired("signal", 80.0)
    assert world.signals == [signal.SIGUSR2]


def test_a_mocked_job_may_be_signalled_by_nothing() -> None:
    world = World()
    job = make_job(world, mock=MockTest(5.0, 512))
    job.ready(1.0)
    assert world.timers == {"mock": 5.0}
    job.expired("mock", 6.0)
    assert world.said("finish") == [{"status": 512}]
    assert world.told == []


def test_input_is_for_all_shells_and_limited() -> None:
    world = World()
    job = running(world, (0, 1), options=ShellOptions(input_limit=10))
    data = {"stream": "stdin", "rank": "all", "data": "x" * 10}
    job.reports(0, [("input", {"data": data, "size": 10})], 11.0)
    assert world.told == [([0, 1], "input", {"data": data})]
    job.reports(0, [("input", {"data": data, "size": 10})], 11.0)
    assert world.said("exception")[0]["note"].startswith("stdin exceeds 10 limit")


def test_output_for_a_file_goes_to_the_leader() -> None:
    world = World()
    job = make_job(world, (2, 3))
    job.ready(1.0)
    kind, what = layout(2)
    job.reports(2, [(kind, {**what, "files": {"stdout": "out"}}), ("started", {})], 1.0)
    context = {"stream": "stdout", "rank": "1", "data": "x"}
    other = {"stream": "stderr", "rank": "1", "data": "y"}
    job.reports(3, [("output", {"data": [context, other], "size": 2})], 2.0)
    assert world.told == [([2], "write", {"data": [context]})]
    assert job.records.take_credits() == {3: 2}


def early_job(world: World) -> ExecJob:
    """A job of two, the follower of which has finished before the leader says anything."""
    job = make_job(world, (0, 1))
    job.ready(1.0)
    data = {"stream": "stdout", "rank": "1", "data": "x"}
    job.reports(1, [("started", {}), ("output", {"data": [data], "size": 1})], 1.0)
    finish(job, 1)
    return job


def test_records_begin_with_the_leader() -> None:
    world = World()
    job = early_job(world)
    job.reports(0, [layout(2), ("started", {})], 2.0)
    assert world.told == [([0], "alone", {})]
    finish(job)
    tree = job.records.log.take_tree()
    lines = val_bytes(tree["data"]["output"]).splitlines()
    assert [orjson.loads(line)["name"] for line in lines] == ["header", "data"]
    assert world.finalized == 1


@pytest.mark.parametrize("why", [None, "no reason"])
def test_without_a_leader_the_others_are_heard_in_the_end(why: str | None) -> None:
    world = World()
    job = early_job(world)
    job.lost(0, why, 2.0)
    assert world.finalized == 1
    assert [kind for kind, _ in world.answers] == ["exception", "start", "finish"]


def test_a_follower_is_lost_that_had_said_something_early() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    job.reports(1, [("started", {})], 1.0)
    job.lost(1, None, 2.0)
    job.reports(0, [layout(2), ("started", {})], 3.0)
    finish(job)
    assert world.finalized == 1


def test_pmi_values_are_exchanged_again_and_again() -> None:
    world = World()
    job = running(world, (0, 1))
    for turn in range(2):
        job.reports(0, [("pmi", {"values": {"a": str(turn)}})], 11.0)
        job.reports(1, [("pmi", {"values": {"b": str(turn)}})], 11.0)
        values = {"a": str(turn), "b": str(turn)}
        assert world.told[turn] == ([0, 1], "pmi", {"values": values})


class JobMachine(RuleBasedStateMachine):
    """Whatever happens, a job answers in order and ends once."""

    @initialize(count=st.integers(1, 4), timeout=st.sampled_from([None, 1.0]), error=st.booleans())
    def begin(self, count: int, timeout: float | None, error: bool) -> None:
        self.world = World()
        self.now = 100.0
        options = ShellOptions(exit_timeout=timeout, exit_on_error=error)
        self.ranks = list(range(3, 3 + count))
        self.job = make_job(self.world, self.ranks, options=options, expiration=500.0)
        self.said: dict[int, set[str]] = {rank: set() for rank in self.ranks}

    def _able(self, *after: str) -> list[int]:
        done = {"finished", "lost"}
        return [r for r in self.ranks if set(after) <= self.said[r] and not done & self.said[r]]

    def _report(self, rank: int, kind: str, what: Mapping[str, Any]) -> None:
        self.now += 1
        self.said[rank].add(kind)
        self.job.reports(rank, [(kind, what)], self.now)

    @rule()
    def made(self) -> None:
        self.job.ready(self.now)

    @precondition(lambda self: self.world.started)
    @rule(data=st.data())
    def shell_begins(self, data: st.DataObject) -> None:
        fresh = [rank for rank in self._able() if not self.said[rank]]
        if fresh:
            rank = data.draw(st.sampled_from(fresh))
            kind, what = layout(len(self.ranks)) if rank == self.ranks[0] else ("log", MESSAGE)
            self._report(rank, kind, what)

    @precondition(lambda self: self.world.started)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["started", "log", "output", "exit", "fatal", "abort", "pmi"]),
    )
    def shell_tells(self, data: st.DataObject, kind: str) -> None:
        able = [rank for rank in self._able() if self.said[rank]]
        if able:
            rank = data.draw(st.sampled_from(able))
            status = data.draw(st.sampled_from([0, 9, 256]))
            task = self.ranks.index(rank)
            self._report(rank, kind, {**WHATS[kind], "rank": task, "wait_status": status})

    @precondition(lambda self: self.world.started)
    @rule(data=st.data(), status=st.sampled_from([0, 15, 256]))
    def shell_ends(self, data: st.DataObject, status: int) -> None:
        able = [rank for rank in self._able() if self.said[rank]]
        if able:
            rank = data.draw(st.sampled_from(able))
            self._report(rank, "finished", {"status": status})

    @precondition(lambda self: self.world.started)
    @rule(data=st.data(), why=st.sampled_from([None, "reason"]))
    def rank_is_lost(self, data: st.DataObject, why: str | None) -> None:
        if self._able():
            rank = data.draw(st.sampled_from(self._able()))
            self.said[rank].add("lost")
            self.job.lost(rank, why, self.now)

    @rule(ranks=st.sets(st.integers(0, 3)))
    def some_are_critical(self, ranks: set[int]) -> None:
        self.job.critical = IdSet(ranks)

    @rule(kind=st.sampled_from(["cancel", "exec", "timeout"]), status=st.sampled_from([None, 0, 9]))
    def exception(self, kind: str, status: int | None) -> None:
        self.job.exception(kind, status, self.now)

    @rule(note=st.sampled_from(["a", "b"]))
    def fails(self, note: str) -> None:
        self.job.fail(note, self.now)

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        if self.world.timers:
            timer = data.draw(st.sampled_from(sorted(self.world.timers)))
            del self.world.timers[timer]
            self.job.expired(timer, self.now)

    @rule(expiration=st.sampled_from([0.0, 50.0, 1000.0]))
    def expires(self, expiration: float) -> None:
        self.job.set_expiration(self.now, expiration)

    @invariant()
    def is_valid(self) -> None:
        self.job.validate_state()

    @invariant()
    def answers_in_order(self) -> None:
        kinds = [kind for kind, _ in self.world.answers if kind != "exception"]
        assert kinds in ([], ["start"], ["start", "finish"], ["finish"])
        assert ("finish" in kinds) <= (self.job.phase == "final")
        fatal = [data for data in self.world.said("exception") if data["severity"] == 0]
        assert len(fatal) <= 1
        if fatal and "finish" in kinds:
            assert self.world.said("finish")[0]["status"] != 0

    @invariant()
    def ends_once(self) -> None:
        assert self.world.finalized == (self.job.phase == "final")
        if self.job.phase == "final":
            assert self.world.timers == {}
        elif self.world.started and all({"finished", "lost"} & s for s in self.said.values()):
            raise AssertionError("all shells are over, but the job is not")


MESSAGE = {"rank": 0, "level": 3, "message": "m"}
WHATS: dict[str, dict[str, Any]] = {
    "started": {},
    "log": MESSAGE,
    "output": {"data": [{"stream": "stdout", "rank": "0", "data": "x"}], "size": 1},
    "exit": {},
    "fatal": {"message": "m"},
    "abort": {"message": "m"},
    "pmi": {"values": {}},
}

TestJobMachine = pytest.mark.slow(JobMachine.TestCase)
