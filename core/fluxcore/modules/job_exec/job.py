"""A job as its execution service sees it, without IO and without a clock (CONTRACTS D20).

Theory of operation: a job's shells (one a node, on other ranks too) report what happens; the job
writes it into the guest's eventlogs, answers the job manager, and says through its port (see
:mod:`~fluxcore.modules.job_exec.port`) what is to be done. Its phases are in the table below; the
job is over when every shell has finished or is lost.

::

    init -ready-> starting -up-> running -complete-> final
    init -failed----------------------------------> final
    starting -complete----------------------------> final

A fatal exception, wherever it comes from, ends the shells (see :mod:`~.ending`), and at last the
job is over without those that cannot be killed.
"""

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from fluxcore.job.jobid import f58
from fluxcore.modules.job_exec.deadlines import Deadlines
from fluxcore.modules.job_exec.ending import Ending
from fluxcore.modules.job_exec.first_exit import FirstExit, shell_status
from fluxcore.modules.job_exec.mock import MockTest
from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.modules.job_exec.port import TIMERS, JobPort, Start, Timer
from fluxcore.modules.job_exec.records import Records, merged
from fluxcore.modules.job_exec.shells import Shells
from fluxcore.resource.idset import IdSet
from fluxcore.shell.errors import WARN, ShellError
from fluxcore.shell.options import ShellOptions
from fluxcore.shell.reports import fatal_report
from fluxcore.shell.runner import service_name

Phase = Literal["init", "starting", "running", "final"]

#: The phases of a job.
_NEXT: Final[Mapping[tuple[Phase, str], Phase]] = {
    ("init", "ready"): "starting",
    ("init", "failed"): "final",
    ("starting", "up"): "running",
    ("starting", "complete"): "final",
    ("running", "complete"): "final",
}

_CRITICAL: Final = 2


class ExecJob:
    """One job, from the request to start it until its resources are released."""

    def __init__(
        self,
        start: Start,
        options: ShellOptions,
        policy: ExecOptions,
        port: JobPort,
        mock: MockTest | None = None,
    ) -> None:
        self.id = start.id
        self.start = start
        self.mock = mock
        self.records = Records(options)
        self.phase: Phase = "init"
        self.critical = IdSet.span(0, len(start.rset.nodes) - 1)
        self._options = options
        self._policy = policy
        self._port = port
        self.shells = Shells(start.rset)
        self._ending = Ending(policy, port, self.shells)
        self._deadlines = Deadlines(
            start.rset,
            options.signal if mock is None else None,
            policy.max_start_delay_percent,
            port,
            self.records,
        )
        self._first: FirstExit | None = None
        self._pmi: dict[int, Mapping[str, str]] = {}
        #: What followers report before the leader's layout, which begins all records.
        self._early: list[tuple[int, Sequence[Sequence[Any]]]] | None = []

    def _advance(self, event: str) -> None:
        try:
            self.phase = _NEXT[self.phase, event]
        except KeyError:
            text = f"job {f58(self.id)} cannot be {event} in phase {self.phase}"
            raise RuntimeError(text) from None

    @property
    def failing(self) -> bool:
        """True once a fatal exception has been raised."""
        return self._ending.failing

    # -- the beginning ---------------------------------------------------------------------

    def ready(self, now: float) -> None:
        """The guest's namespace is there."""
        if self.phase != "init":
            return  # an exception has come first
        self._advance("ready")
        self.records.event(now, "starting")
        if self.mock is None:
            self._port.start_shells()
            return
        if not self.mock.override:
            self.mock_started(now)
        if self.mock.exception == "run":
            self.fail("mock run exception generated", now)

    def _up(self, now: float) -> None:
        """All shells exist."""
        self._advance("up")
        self._deadlines.arm(now)
        self._port.answer("start", {})

    def mock_started(self, now: float) -> None:
        """The job that is mocked has started."""
        assert self.mock is not None
        self._up(now)
        self.records.event(now, "recoverable")
        if self.mock.duration > 0:
            self._port.arm("mock", self.mock.duration)

    def mock_reattached(self, now: float, left: float) -> None:
        """A mocked job is found again after a restart, with ``left`` seconds to run."""
        self._advance("ready")
        self._advance("up")
        self.records.event(now, "re-starting")
        self._port.answer("reattached", {})
        self._port.arm("mock", left)

    def mock_finished(self, now: float, status: int) -> None:
        """The job that is mocked has ended."""
        self._complete(now, status)

    # -- its time --------------------------------------------------------------------------

    def set_expiration(self, now: float, expiration: float) -> None:
        """The job expires at another time, in seconds since 1970; 0 for never."""
        self._deadlines.expiration = expiration
        if self.phase == "running":
            self._deadlines.arm(now)

    def expired(self, timer: Timer, now: float) -> None:
        """A timer has run out."""
        if self.phase != "final":
            _EXPIRED[timer](self, now)

    def _time_is_over(self, now: float) -> None:
        self._ending.raise_exception("timeout", 0, "resource allocation expired")
        self._end_shells(signal.SIGALRM, now)

    def _signal_early(self, now: float) -> None:
        self._ending.signal(self._deadlines.announce(now))

    def _mock_over(self, now: float) -> None:
        assert self.mock is not None
        self._complete(now, self.mock.wait_status)

    # -- exceptions ------------------------------------------------------------------------

    def fail(self, note: str, now: float, signum: int | None = None) -> None:
        """The job cannot go on: raise a fatal exception of type exec and end it.

        ``signum`` is a signal to end it by instead of the usual one.
        """
        if self.phase != "final":
            self._ending.raise_exception("exec", 0, note)
            self._end_shells(signum or self._policy.term_signal, now)

    def exception(self, kind: str, wait_status: int | None, now: float) -> None:
        """The job manager tells of a fatal exception."""
        if self.phase == "final" or not self._ending.hear(kind):
            return
        if wait_status is not None and wait_status >= 0:
            self._ending.forced_status = shell_status(wait_status)
        self._end_shells(self._policy.term_signal, now)

    def _end_shells(self, signum: int, now: float) -> None:
        """End what runs, by ``signum`` first."""
        self._port.disarm("exit")
        if self.phase == "init":
            self._advance("failed")
            self._finalize(now)
        elif self.mock is not None:
            self._complete(now, int(signum))  # an enum of Python's is no integer on the wire
        else:
            self._ending.begin(signum)

    def _kill_again(self, _now: float) -> None:
        self._ending.kill()

    def _give_up(self, now: float) -> None:
        self._ending.give_up(f58(self.id))
        self._complete(now, max(1, self.shells.status))

    # -- what shells report ----------------------------------------------------------------

    def reports(self, rank: int, reports: Sequence[Sequence[Any]], now: float) -> None:
        """A shell has something to tell: kinds and contents, in order."""
        self._hear(rank, now)
        if self._early is not None and rank != self.shells.leader:
            self._early.append((rank, reports))
        else:
            self._take(rank, reports, now)

    def _take(self, rank: int, reports: Sequence[Sequence[Any]], now: float) -> None:
        for kind, what in reports:
            if self.shells[rank].over or self.phase == "final":
                return
            _REPORTS[kind](self, rank, what, now)

    def _take_early(self, now: float) -> None:
        """Followers need not wait for the leader any more."""
        early, self._early = self._early, None
        for rank, reports in early or ():
            self._take(rank, reports, now)

    def _hear(self, rank: int, now: float) -> None:
        if self.phase == "starting" and self.shells.hear(rank):
            self._up(now)

    def _layout(self, rank: int, what: Mapping[str, Any], now: float) -> None:
        service = service_name(self.start.userid, self.id)
        self.records.layout(now, what, service, rank, len(self.shells))
        self._take_early(now)

    def _started(self, rank: int, _what: Mapping[str, Any], now: float) -> None:
        if self.shells.start(rank) and not self._ending.failing:
            self.records.tasks_started(now)

    def _message(self, _rank: int, what: Mapping[str, Any], now: float) -> None:
        self.records.message(now, what)

    def _output(self, rank: int, what: Mapping[str, Any], now: float) -> None:
        for_files = self.records.output(now, rank, what)
        if for_files and rank != self.shells.leader:
            self._port.tell_shells([self.shells.leader], "write", {"data": for_files})

    def _fatal(self, _rank: int, what: Mapping[str, Any], now: float) -> None:
        self.records.fatal(now, what)
        self.fail(what["message"], now)

    def _abort(self, _rank: int, what: Mapping[str, Any], now: float) -> None:
        self.fail(what["message"], now)

    def _input(self, _rank: int, what: Mapping[str, Any], now: float) -> None:
        """Somebody has sent the leader input for the tasks."""
        refusal = self.records.input(now, what["data"], what["size"])
        if refusal is not None:
            self._shell_fails(ShellError(refusal), now)
        else:
            self._port.tell_shells(self.shells.active, "input", {"data": what["data"]})

    def _exchange(self, rank: int, what: Mapping[str, Any], _now: float) -> None:
        """All tasks of a shell are in the PMI barrier."""
        self._pmi[rank] = what["values"]
        if len(self._pmi) == len(self.shells):
            values, self._pmi = merged(list(self._pmi.values())), {}
            self._port.tell_shells(self.shells.ranks, "pmi", {"values": values})

    def _finished(self, rank: int, what: Mapping[str, Any], now: float) -> None:
        self.shells[rank].status = what["status"]
        self._one_over(rank, now)

    # -- the first to end ------------------------------------------------------------------

    def _exit(self, _rank: int, what: Mapping[str, Any], now: float) -> None:
        """The first task of a shell has ended."""
        if self._first is None:
            self.records.event(now, "shell.task-exit", what)
            self._watch_others(FirstExit(what["rank"], what["wait_status"]), now)

    def _watch_others(self, first: FirstExit, now: float) -> None:
        self._first = first
        taskmap, options = self.records.taskmap, self._options
        if options.exit_on_error and first.failed:
            self._first_fatal(first.on_error(self._program, self.shells.hosts, taskmap), now)
        elif options.exit_timeout is not None and taskmap.ntasks > 1:
            self._port.arm("exit", options.exit_timeout)

    def _exit_timeout(self, now: float) -> None:
        first, timeout = self._first, self._options.exit_timeout
        assert first is not None
        assert timeout is not None
        taskmap = self.records.taskmap
        self._first_fatal(first.timed_out(timeout, self._program, self.shells.hosts, taskmap), now)

    def _first_fatal(self, text: str, now: float) -> None:
        assert self._first is not None
        self._ending.forced_status = self._first.shell_status
        self._shell_fails(ShellError(text, component="task-exit"), now)

    def _shell_fails(self, error: ShellError, now: float) -> None:
        """The leader's shell gives up."""
        self._fatal(self.shells.leader, fatal_report(0, error), now)

    @property
    def _program(self) -> str:
        program: str = self.start.jobspec["tasks"][0]["command"][0]
        return program

    # -- the end ---------------------------------------------------------------------------

    def lost(self, rank: int, why: str | None, now: float) -> None:
        """A shell will not report any more: its broker is gone, or it failed for ``why``."""
        shell = self.shells[rank]
        if shell.over or self.phase == "final":
            return
        text = f"node failure on {shell.host} (shell rank {shell.index})"
        if why is not None:
            self.fail(f"job shell exec error on broker {shell.host} (rank {rank}): {why}", now)
        elif shell.index in self.critical:
            self.records.complain(now, WARN, text)
            self.fail(f"node failure on {shell.host} (rank {rank})", now)
        else:
            self._ending.raise_exception("node-failure", _CRITICAL, text)
            if self._first is None:
                self._watch_others(FirstExit(shell.index, None), now)
        self._hear(rank, now)
        self._one_over(rank, now)

    def _one_over(self, rank: int, now: float) -> None:
        if self.phase == "final":
            return
        if self.shells.end(rank):
            leader = self.shells.leader
            context = {"rank": leader, "wait_status": self.shells[leader].status}
            self.records.event(now, "shell-exit", context)
            self._complete(now, self.shells.status)
            return
        if self.shells.left == 1:
            self._port.tell_shells(self.shells.active, "alone", {})
        if rank == self.shells.leader:
            self._take_early(now)

    def _complete(self, now: float, status: int) -> None:
        self._advance("complete")
        status = self._ending.status(status)
        self.records.ended(now, status)
        self._port.answer("finish", {"status": status})
        self._finalize(now)

    def _finalize(self, now: float) -> None:
        for timer in TIMERS:
            self._port.disarm(timer)
        self.records.event(now, "done")
        self._port.finalize()

    # -- asking ----------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """The job as job-exec.stats-get has it."""
        return {
            "implementation": "bulk-exec" if self.mock is None else "testexec",
            "ns": f"job-{self.id}",
            "critical_ranks": self.critical.encode(),
            "multiuser": 0,
            "has_namespace": 1,
            "exception_in_progress": int(self._ending.failing),
            "started": int(self.phase != "init"),
            "running": int(self.phase == "running"),
            "finalizing": int(self.phase == "final"),
            "expiration": self._deadlines.expiration,
            "kill_timeout": self._policy.kill_timeout,
            "total_shells": len(self.shells),
            "active_shells": self.shells.left,
            "active_ranks": self.shells.active.encode(),
        }

    def validate_state(self) -> None:
        """Assert what must hold at any time."""
        self.shells.validate_state()
        if self.mock is None and self.phase in ("starting", "running"):
            assert self.shells.left > 0
            assert (self.shells.unheard == 0) == (self.phase == "running")


_EXPIRED: Final = {
    "kill": ExecJob._kill_again,
    "give-up": ExecJob._give_up,
    "expiration": ExecJob._time_is_over,
    "signal": ExecJob._signal_early,
    "exit": ExecJob._exit_timeout,
    "mock": ExecJob._mock_over,
}

_REPORTS: Final = {
    "layout": ExecJob._layout,
    "started": ExecJob._started,
    "log": ExecJob._message,
    "output": ExecJob._output,
    "exit": ExecJob._exit,
    "fatal": ExecJob._fatal,
    "abort": ExecJob._abort,
    "input": ExecJob._input,
    "pmi": ExecJob._exchange,
    "finished": ExecJob._finished,
}
