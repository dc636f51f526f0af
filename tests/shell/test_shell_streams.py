"""The shell of a job on one node: what its tasks write, read and ask of PMI."""

from fluxcore.shell.shell import STDIN_MAX, WINDOW
from support.shell_port import make


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
