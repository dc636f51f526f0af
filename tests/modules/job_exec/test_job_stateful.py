"""The life of a job without IO, by chance."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fluxcore.resource.idset import IdSet
from fluxcore.shell.options import ShellOptions
from support.exec_job import World, layout, make_job

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


TestJobMachine = pytest.mark.slow(JobMachine.TestCase)
