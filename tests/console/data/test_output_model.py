from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.output import Data, Header, Log, Redirect
from fluxtop.data.output_model import OutputLine, OutputModel


def texts(model: OutputModel) -> list[str]:
    return [line.text for line in model.lines]


def test_lines_are_put_together_from_pieces():
    model = OutputModel()
    model.add([Data("stdout", "0", b"one\ntw"), Data("stdout", "0", b"o\nthree")])
    assert texts(model) == ["one", "two", "three"]
    model.add([Data("stdout", "0", b"!\n"), Data("stdout", "0", b"four\n")])
    assert texts(model) == ["one", "two", "three!", "four"]


def test_streams_and_tasks_do_not_mix():
    model = OutputModel()
    model.add([Data("stdout", "0", b"a"), Data("stdout", "1", b"b"), Data("stderr", "0", b"c")])
    model.add([Data("stdout", "0", b"A\n"), Data("stdout", "1", b"B\n")])
    assert model.lines == [
        OutputLine("stdout", "0", "aA"),
        OutputLine("stdout", "1", "bB"),
        OutputLine("stderr", "0", "c"),
    ]


def test_empty_lines_are_lines():
    model = OutputModel()
    model.add([Data("stdout", "0", b"\n\na\n\n")])
    assert texts(model) == ["", "", "a", ""]


def test_a_progress_bar_shows_its_last_state():
    model = OutputModel()
    model.add([Data("stdout", "0", b"10%\r20%"), Data("stdout", "0", b"\r30%\r\nnext\tcol\r\n")])
    assert texts(model) == ["30%", "next    col"]


def test_what_the_shell_says_is_shown_too():
    model = OutputModel()
    model.add(
        [
            Header({}, {"stdout": 4, "stderr": 4}),
            Redirect("stdout", "all", "/tmp/out"),
            Log(3, "task 0: start failed"),
            Data("stdout", "0", eof=True),
        ]
    )
    assert model.ntasks == 4
    assert texts(model) == ["stdout goes to /tmp/out", "task 0: start failed"]


def test_the_oldest_lines_go():
    model = OutputModel(capacity=100)
    model.add([Data("stdout", "0", b"open")])
    for n in range(500):
        model.add([Data("stdout", "1", f"{n}\n".encode())])
    model.add([Data("stdout", "0", b" end\n")])
    assert len(model.lines) <= 110
    assert texts(model)[-1] in ("499", " end")


PIECES = st.lists(
    st.tuples(st.sampled_from(["0", "1"]), st.text(alphabet="ab\n", max_size=6)), max_size=20
)


@given(PIECES)
def test_each_stream_reads_as_it_was_written(pieces):
    model = OutputModel()
    for rank, text in pieces:
        if text:
            model.add([Data("stdout", rank, text.encode())])
    for rank in ("0", "1"):
        written = "".join(text for who, text in pieces if who == rank)
        lines = written.split("\n")
        expected = lines if lines[-1] else lines[:-1]
        assert [line.text for line in model.lines if line.rank == rank] == expected
