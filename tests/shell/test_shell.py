"""The shell of a job on one node: what it makes of what its tasks do."""

import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fluxcore.job.output import decode_data
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import ERROR, Complaint, ShellError
from fluxcore.shell.layout import layout
from fluxcore.shell.options import parse
from fluxcore.shell.shell import STDIN_MAX, WINDOW, Shell
from support.jobspecs import make_jobspec, make_r


class Port:
    """Keeps what the shell says."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, Any]] = []
        self.files: list[tuple[str, int | None, list[tuple[str, bytes]]]] = []
        self.killed: list[tuple[int, int]] = []
        self.input: list[tuple[int, bytes, bool]] = []
        self.unread = 0
        self.pmi: list[tuple[int, bytes]] = []
        self.held: list[bool] = []
        self.abandoned: list[int] = []
        self.status: int | None = None

    def report(self, kind: str, what: Mapping[str, Any]) -> None:
        self.reports.append((kind, what))

    def write_file(
        self, stream: str, index: int | None, pieces: Sequence[tuple[str, bytes]]
    ) -> None:
        self.files.append((stream, index, list(pieces)))

    def kill(self, index: int, signum: int) -> None:
        self.killed.append((index, signum))

    def write(self, index: int, data: bytes, eof: bool) -> int:
        self.input.append((index, data, eof))
        return self.unread

    def answer_pmi(self, index: int, data: bytes) -> None:
        self.pmi.append((index, data))

    def hold(self, held: bool) -> None:
        self.held.append(held)

    def abandon(self, index: int) -> None:
        self.abandoned.append(index)

    def finished(self, status: int) -> None:
        assert self.status is None, "finished twice"
        self.status = status

    def of(self, kind: str) -> list[Any]:
        return [what for reported, what in self.reports if reported == kind]


def make(
    tasks: int = 1, nodes: int = 1, node: int = 0, own_files: Sequence[str] = (), **options: Any
) -> tuple[Shell, Port]:
    jobspec = make_jobspec("prog", tasks=tasks, nodes=nodes if nodes > 1 else 0, **options)
    where = layout(jobspec, ResourceSet.from_json(make_r(range(nodes), tasks // nodes)))
    port = Port()
    parsed = parse(jobspec["attributes"]["system"]["shell"]["options"])
    shell = Shell(
        1234,
        where,
        where.nodes[node],
        parsed,
        port,
        preput={"x": "y"},
        own_files=frozenset(own_files),
    )
    shell.begin()
    return shell, port


def end(shell: Shell, index: int, status: int = 0) -> None:
    shell.exited(index, status)
    shell.output(index, "stdout", b"")
    shell.output(index, "stderr", b"")


def test_a_task_runs_to_its_end() -> None:
    shell, port = make()
    assert port.reports == []
    shell.started(0, 77)
    shell.output(0, "stdout", b"hi\n")
    end(shell, 0, 3 << 8)
    assert [kind for kind, _ in port.reports] == ["started", "output", "exit", "output", "output"]
    assert port.of("exit") == [
        {
            "localid": 0,
            "rank": 0,
            "state": "Exited",
            "pid": 77,
            "wait_status": 768,
            "signaled": 0,
            "exitcode": 3,
        }
    ]
    assert port.of("output")[0] == {
        "data": [{"stream": "stdout", "rank": "0", "data": "hi\n"}],
        "size": 3,
    }
    assert port.status == 3 << 8


def test_a_signal_is_an_exit_code_beyond_128() -> None:
    shell, port = make()
    shell.started(0, 77)
    end(shell, 0, signal.SIGTERM)
    assert port.of("exit")[0]["signaled"] == 15
    assert port.of("exit")[0]["exitcode"] == 143
    assert port.status == 143 << 8


def test_the_greatest_exit_code_is_the_shells_and_the_first_exit_is_reported() -> None:
    shell, port = make(tasks=3)
    for index in range(3):
        shell.started(index, 10 + index)
    for index, code in ((1, 5), (0, 9), (2, 1)):
        end(shell, index, code << 8)
    assert [what["rank"] for what in port.of("exit")] == [1]
    assert port.status == 9 << 8


def test_a_shell_waits_for_output_that_others_hold_open() -> None:
    shell, port = make()
    shell.started(0, 77)
    shell.exited(0, 0)
    shell.output(0, "stdout", b"")
    assert port.status is None
    shell.output(0, "stderr", b"late\n")
    shell.output(0, "stderr", b"")
    assert port.status == 0


def test_but_not_once_it_has_been_killed_for_good() -> None:
    shell, port = make(tasks=2)
    shell.started(0, 77)
    shell.started(1, 78)
    shell.exited(0, 0)
    shell.signal(signal.SIGKILL, final=True)
    assert port.killed == [(1, 9)]
    assert port.abandoned == [0]
    shell.exited(1, 9)
    assert port.abandoned == [0, 1]


def test_a_task_that_cannot_start_is_fatal_and_is_said_once() -> None:
    shell, port = make(tasks=2)
    shell.start_failed(0, 2, "prog")
    shell.start_failed(1, 2, "prog")
    assert port.reports == [
        (
            "fatal",
            {
                "rank": 0,
                "message": "task 0 (host host0): start failed: prog: No such file or directory",
                "code": 127,
            },
        )
    ]
    assert port.status == 127 << 8


@pytest.mark.parametrize(("errnum", "code"), [(2, 127), (13, 126), (1, 126), (12, 1)])
def test_the_code_says_why_a_task_could_not_start(errnum: int, code: int) -> None:
    shell, port = make()
    shell.start_failed(0, errnum, "prog")
    assert port.status == code << 8


def test_after_a_failure_the_others_codes_do_not_count() -> None:
    shell, port = make(tasks=2)
    shell.started(0, 77)
    shell.start_failed(1, 2, "prog")
    assert port.of("started") == []
    end(shell, 0, 15)
    assert port.status == 127 << 8


def test_a_signal_reaches_tasks_that_are_just_being_started() -> None:
    shell, port = make(tasks=2)
    shell.started(0, 77)
    shell.signal(signal.SIGTERM)
    assert port.killed == [(0, 15)]
    shell.started(1, 78)
    assert port.killed == [(0, 15), (1, 15)]
    shell.signal(signal.SIGUSR1)
    assert port.killed[2:] == [(0, 10), (1, 10)]


def test_ended_tasks_get_no_signal() -> None:
    shell, port = make(tasks=2)
    shell.started(0, 77)
    shell.started(1, 78)
    end(shell, 0)
    shell.signal(signal.SIGTERM)
    assert port.killed == [(1, 15)]


def test_output_stops_at_the_window_and_goes_on_with_credit() -> None:
    shell, port = make(tasks=1, output={"stdout": {"buffer": {"type": "none"}}})
    shell.started(0, 77)
    shell.output(0, "stdout", b"x" * WINDOW)
    assert port.held == []
    shell.output(0, "stdout", b"y")
    assert port.held == [True]
    shell.credit(WINDOW // 2)
    assert port.held == [True]
    shell.credit(2)
    assert port.held == [True, False]


def test_redirected_output_goes_to_the_leaders_file() -> None:
    output = {"stdout": {"type": "file", "path": "out"}}
    shell, port = make(tasks=2, nodes=2, output=output)
    shell.started(0, 77)
    shell.output(0, "stdout", b"a\nb\n")
    assert port.files == [("stdout", 0, [("0", b"a\n"), ("0", b"b\n")])]
    shell.save([{"stream": "stdout", "rank": "1", "data": "c\n"}])
    assert port.files[1:] == [("stdout", None, [("1", b"c\n")])]
    assert port.of("output") == []
    other, its = make(tasks=2, nodes=2, node=1, output=output)
    other.started(0, 78)
    other.output(0, "stdout", b"c\n")
    assert its.files == []
    assert its.of("output")[0]["data"][0]["rank"] == "1"


def test_or_to_a_file_of_the_nodes_own() -> None:
    output = {"stdout": {"type": "file", "path": "out.{{node.id}}"}}
    shell, port = make(tasks=2, nodes=2, node=1, own_files=["stdout"], output=output)
    shell.started(0, 77)
    shell.output(0, "stdout", b"c\n")
    assert port.files == [("stdout", 0, [("1", b"c\n")])]


def test_input_goes_to_those_it_is_for() -> None:
    shell, port = make(tasks=3)
    shell.input({"stream": "stdin", "rank": "all", "data": "x"})
    shell.input({"stream": "stdin", "rank": "1-2", "eof": True})
    assert port.input == [
        (0, b"x", False),
        (1, b"x", False),
        (2, b"x", False),
        (1, b"", True),
        (2, b"", True),
    ]


def test_who_reads_no_input_has_it_closed_in_the_end() -> None:
    shell, port = make()
    port.unread = STDIN_MAX + 1
    shell.input({"stream": "stdin", "rank": "0", "data": "x"})
    assert port.input[-1] == (0, b"", True)
    (said,) = port.of("log")
    assert said["level"] == 4
    assert said["message"] == "task 0: buffer full, closing stdin"


def test_pmi_lines_are_answered_however_they_are_cut() -> None:
    shell, port = make(tasks=2)
    shell.pmi_data(0, b"cmd=get_app")
    shell.pmi_data(0, b"num\ncmd=get kvsname=k key=x\n")
    assert port.pmi == [
        (0, b"cmd=appnum rc=0 appnum=0\n"),
        (0, b"cmd=get_result rc=0 value=y\n"),
    ]


def test_a_broken_pmi_line_is_fatal_unless_the_job_aborts_anyway() -> None:
    shell, port = make(tasks=2)
    shell.pmi_data(0, b"cmd=abort exitcode=3 error_msg=no more\n")
    assert port.of("abort") == [{"message": "PMI_Abort: no more"}]
    shell.pmi_data(1, b"garbage\n")
    assert port.of("fatal") == []
    shell, port = make(tasks=2)
    shell.pmi_data(1, b"garbage\n")
    assert port.of("fatal")[0]["message"] == "PMI-1 wire protocol error"


def test_a_barrier_across_nodes_waits_for_the_others() -> None:
    shell, port = make(tasks=2, nodes=2)
    shell.pmi_data(0, b"cmd=put kvsname=k key=a value=1\ncmd=barrier_in\n")
    assert port.of("pmi") == [{"values": {"a": "1"}}]
    shell.exchanged({"a": "1", "b": "2"})
    assert port.pmi[-1] == (0, b"cmd=barrier_out rc=0\n")


def test_complaints_are_log_events_and_verbose_says_what_runs_where() -> None:
    shell, port = make(tasks=2, verbose=1)
    shell.complain(Complaint(ERROR, "no", "part"))
    assert port.of("log") == [
        {"rank": 0, "level": 6, "message": "0: tasks [0-1] on cores 0-1"},
        {"rank": 0, "level": 3, "message": "no", "component": "part"},
    ]


def test_an_error_says_its_complaints_first_and_only_the_first_counts() -> None:
    shell, port = make()
    error = ShellError("the end", code=9, component="c", complaints=(Complaint(ERROR, "first"),))
    shell.fail(error)
    shell.fail(ShellError("another end"))
    assert port.reports == [
        ("log", {"rank": 0, "level": 3, "message": "first"}),
        ("fatal", {"rank": 0, "message": "the end", "code": 9, "component": "c"}),
    ]


def test_what_cannot_happen_to_a_task_is_a_fault_of_ours() -> None:
    shell, _ = make()
    with pytest.raises(RuntimeError, match="task 0 cannot be exited while it is waiting"):
        shell.exited(0, 0)


class ShellMachine(RuleBasedStateMachine):
    """Anything may happen to tasks in any order that processes allow."""

    @initialize(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self.shell, self.port = make(tasks=count)
        self.waiting = set(range(count))
        self.running: set[int] = set()
        self.ended: set[int] = set()
        self.open = {(index, name) for index in range(count) for name in ("stdout", "stderr")}
        self.written: dict[int, bytes] = dict.fromkeys(range(count), b"")
        self.codes: list[int] = []
        self.failed = False

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.discard(index)
        self.running.add(index)
        self.shell.started(index, 100 + index)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.discard(index)
        self.open -= {(index, "stdout"), (index, "stderr")}
        self.failed = True
        self.shell.start_failed(index, 2, "prog")

    @precondition(lambda self: self.running)
    @rule(data=st.data(), code=st.integers(0, 3))
    def exit(self, data: st.DataObject, code: int) -> None:
        index = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(index)
        self.ended.add(index)
        if not self.failed:
            self.codes.append(code)
        self.shell.exited(index, code << 8)

    @precondition(lambda self: self.running | self.ended)
    @rule(data=st.data(), text=st.binary(min_size=1, max_size=5))
    def write(self, data: st.DataObject, text: bytes) -> None:
        index = data.draw(st.sampled_from(sorted(self.running | self.ended)))
        if (index, "stdout") in self.open:
            self.written[index] += text
            self.shell.output(index, "stdout", text)

    @precondition(lambda self: self.running | self.ended)
    @rule(data=st.data(), stream=st.sampled_from(["stdout", "stderr"]))
    def close(self, data: st.DataObject, stream: str) -> None:
        index = data.draw(st.sampled_from(sorted(self.running | self.ended)))
        if (index, stream) in self.open:
            self.open.discard((index, stream))
            self.shell.output(index, stream, b"")

    @rule()
    def signal(self) -> None:
        self.port.killed.clear()
        self.shell.signal(15)
        assert self.port.killed == [(index, 15) for index in sorted(self.running)]

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "shell"):
            return
        self.shell.validate_state()
        over = not self.waiting and not self.running and not self.open
        assert (self.port.status is not None) == over
        if over:
            code = 127 if self.failed else max(self.codes, default=0)
            assert self.port.status == code << 8
            for index, text in self.written.items():
                contexts = [
                    context
                    for what in self.port.of("output")
                    for context in what["data"]
                    if context["rank"] == str(index) and context["stream"] == "stdout"
                ]
                assert b"".join(decode_data(context).data for context in contexts) == text
        assert bool(self.port.of("started")) == (not self.waiting and not self.failed)


TestShellMachine = ShellMachine.TestCase
TestShellMachine.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
