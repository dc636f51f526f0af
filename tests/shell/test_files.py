"""Files that output is redirected to."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import ShellError
from fluxcore.shell.files import OutputFiles, open_input
from fluxcore.shell.layout import layout
from fluxcore.shell.mustache import Names
from fluxcore.shell.options import parse
from support.jobspecs import make_jobspec, make_r
from support.leaks import no_leaks


class Written:
    """Waits until so many bytes are written."""

    def __init__(self) -> None:
        self.size = 0
        self.errors: list[OSError] = []
        self._changed = asyncio.Event()

    def __call__(self, size: int, error: OSError | None) -> None:
        self.size += size
        if error is not None:
            self.errors.append(error)
        self._changed.set()

    async def until(self, size: int) -> None:
        while self.size < size:
            self._changed.clear()
            await self._changed.wait()


def make(
    cwd: Path, written: Written, output: dict[str, Any], nodes: int = 1, node: int = 0
) -> tuple[OutputFiles, Names]:
    jobspec = make_jobspec("prog", tasks=2 * nodes, nodes=nodes if nodes > 1 else 0, output=output)
    where = layout(jobspec, ResourceSet.from_json(make_r(range(nodes), 2)))
    names = Names(1234, "prog", where, None, where.nodes[node])
    options = parse({"output": output})
    loop = asyncio.get_running_loop()
    return OutputFiles(loop, options, where.nodes[node], names, str(cwd), written), names


async def test_tasks_share_a_file_in_order(tmp_path: Path) -> None:
    with no_leaks():
        written = Written()
        files, names = make(tmp_path, written, {"stdout": {"path": "out.{{id}}"}})
        assert files.redirects(names) == {"stdout": "out.ƒNH", "stderr": "out.ƒNH"}
        for number in range(50):
            files.write("stdout", number % 2, [(str(number % 2), b"%d\n" % number)])
        assert not files.idle
        await written.until(140)
        assert files.idle
        files.close()
    expected = "".join(f"{number}\n" for number in range(50))
    assert (tmp_path / "out.ƒNH").read_text() == expected


async def test_each_task_may_have_its_own_file_and_each_line_a_label(tmp_path: Path) -> None:
    written = Written()
    output = {"stdout": {"path": "{{taskid}}", "label": True}, "stderr": {"type": "kvs"}}
    files, names = make(tmp_path, written, output)
    assert files.redirects(names) == {"stdout": "{{taskid}}"}
    files.write("stdout", 0, [("0", b"a\n"), ("0", b"b\n")])
    files.write("stdout", 1, [("1", b"c\n")])
    await written.until(6)
    files.close()
    assert (tmp_path / "0").read_text() == "0: a\n0: b\n"
    assert (tmp_path / "1").read_text() == "1: c\n"


async def test_the_leader_writes_what_others_share(tmp_path: Path) -> None:
    written = Written()
    files, _ = make(tmp_path, written, {"stdout": {"path": "out"}}, nodes=2)
    assert files.own == frozenset()
    files.write("stdout", None, [("3", b"from afar\n")])
    await written.until(10)
    files.close()
    assert (tmp_path / "out").read_text() == "from afar\n"


async def test_another_node_opens_only_its_own_files(tmp_path: Path) -> None:
    written = Written()
    output = {"stdout": {"path": "out.{{node.id}}"}, "stderr": {"path": "err"}}
    files, _ = make(tmp_path, written, output, nodes=2, node=1)
    assert files.own == {"stdout"}
    assert os.listdir(tmp_path) == ["out.1"]
    files.close()


@pytest.mark.parametrize(("mode", "text"), [("append", "old\nnew\n"), ("truncate", "new\n")])
async def test_a_file_is_truncated_or_appended_to(tmp_path: Path, mode: str, text: str) -> None:
    (tmp_path / "out").write_text("old\n")
    written = Written()
    files, _ = make(tmp_path, written, {"mode": mode, "stdout": {"path": "out"}})
    files.write("stdout", 0, [("0", b"new\n")])
    await written.until(4)
    files.close()
    assert (tmp_path / "out").read_text() == text


async def test_closing_waits_for_what_is_being_written(tmp_path: Path) -> None:
    with no_leaks():
        written = Written()
        files, _ = make(tmp_path, written, {"stdout": {"path": "out"}})
        files.write("stdout", 0, [("0", b"x" * 1000)])
        files.close()
        await written.until(1000)
    assert (tmp_path / "out").stat().st_size == 1000


async def test_a_file_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    output = {"stdout": {"path": "good/out"}, "stderr": {"path": "bad/err"}}
    with no_leaks(), pytest.raises(ShellError) as caught:
        make(tmp_path, Written(), output)
    assert caught.value.complaints[0].message == "open: bad/err: No such file or directory"
    assert caught.value.text == "shell_init: No such file or directory"


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    written = Written()
    files, _ = make(tmp_path, written, {"stdout": {"path": "/dev/full"}})
    files.write("stdout", 0, [("0", b"x")])
    await written.until(1)
    files.close()
    assert [error.strerror for error in written.errors] == ["No space left on device"]


def test_input_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello")
    fd = open_input("in", str(tmp_path))
    assert os.read(fd, 10) == b"hello"
    os.close(fd)
    with pytest.raises(ShellError) as caught:
        open_input("nosuch", str(tmp_path))
    assert caught.value.text == "error opening input file 'nosuch': No such file or directory"
    assert caught.value.component == "input.file"


async def test_a_fifo_is_written_as_it_is_read(tmp_path: Path) -> None:
    with no_leaks():
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        written = Written()
        files, _names = make(tmp_path, written, {"stdout": {"path": "fifo", "label": True}})
        data = b"0123456789" * 20_000
        files.write("stdout", 0, [("0", data), ("1", b"end\n")])
        os.set_blocking(reader, True)
        got = b""
        while not files.idle:
            got += await asyncio.to_thread(os.read, reader, 1 << 16)
        await written.until(len(data) + 4)
        files.close()
        with open(reader, "rb") as file:
            assert got + file.read() == b"0: " + data + b"1: end\n"
        assert written.errors == []


async def test_what_nobody_reads_is_given_up(tmp_path: Path) -> None:
    with no_leaks():
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        written = Written()
        files, _names = make(tmp_path, written, {"stdout": {"path": "fifo"}})
        files.write("stdout", 0, [("0", b"first\n"), ("0", b"x" * 1_000_000)])
        await written.until(6)
        assert not files.idle
        files.give_up()
        assert files.idle
        files.close()
        assert os.read(reader, 6) == b"first\n"
        os.close(reader)
