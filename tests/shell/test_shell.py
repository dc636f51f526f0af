"""The shell of a job on one node: how its tasks start, end and are signalled."""

import signal

import pytest

from fluxcore.shell.errors import ERROR, Complaint, ShellError
from support.shell_port import end, make


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
