"""Shells with real tasks: input and output through pipes and files."""

import asyncio
import signal

import pytest

from fluxcore.shell import affinity
from fluxcore.shell import runner as runner_module
from fluxcore.shell.shell import WINDOW
from support.shell_jobs import READY, Jobs


async def test_output_comes_while_the_task_runs(jobs: Jobs) -> None:
    job = jobs.start("sh", "-c", READY + "read x; echo got $x; sleep 100")
    await job.until_output("ready")
    job.shell.input({"stream": "stdin", "rank": "all", "data": "this\n"})
    await job.until_output("got this")
    job.shell.signal(signal.SIGTERM)
    assert await job.status() == 143 << 8


async def test_input_ends_where_it_ends(jobs: Jobs) -> None:
    job = jobs.start("cat", tasks=2)
    job.shell.input({"stream": "stdin", "rank": "0", "data": "zero\n"})
    job.shell.input({"stream": "stdin", "rank": "all", "data": "both\n", "eof": True})
    await job.status()
    assert job.text(rank=0) == "zero\nboth\n"
    assert job.text(rank=1) == "both\n"


async def test_input_may_be_more_than_a_pipe_holds(jobs: Jobs) -> None:
    job = jobs.start("wc", "-c")
    for _ in range(8):
        job.shell.input({"stream": "stdin", "rank": "all", "data": "x" * 100_000})
    job.shell.input({"stream": "stdin", "rank": "all", "eof": True})
    await job.status()
    assert job.text() == "800000\n"


async def test_much_output_waits_for_credit_and_none_is_lost(jobs: Jobs) -> None:
    size = 3 * WINDOW
    job = jobs.start("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' 'a'")
    total = credited = 0
    while not job.of("finished"):
        await job.more()
        total = sum(what["size"] for what in job.of("output"))
        assert total - credited <= WINDOW + (1 << 17)
        job.shell.credit(total - credited)
        credited = total
    assert job.data() == b"a" * size


async def test_binary_output_is_kept(jobs: Jobs) -> None:
    data = bytes(range(256)) * 40
    (jobs.folder / "in").write_bytes(data)
    job = await jobs.run("cat", "in")
    assert job.data() == data


async def test_output_goes_to_a_file_and_input_comes_from_one(jobs: Jobs) -> None:
    (jobs.folder / "in").write_text("one\ntwo\n")
    output = {"stdout": {"path": "out.{{taskid}}"}, "stderr": {"type": "kvs"}}
    script = "cat; echo err >&2"
    job = await jobs.run(
        "sh", "-c", script, tasks=2, output=output, input={"stdin": {"type": "file", "path": "in"}}
    )
    assert (jobs.folder / "out.1").read_text() == "one\ntwo\n"
    assert job.text() == ""
    assert job.text("stderr", rank=1) == "err\n"
    assert job.of("layout")[0]["files"] == {"stdout": "out.{{taskid}}"}
    assert job.of("layout")[0]["stdin"] is False


async def test_a_task_that_was_watched_before_its_end_is_read_to_its_end(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_WATCH_DELAY", 0.0)
    job = await jobs.run("sh", "-c", "for i in 1 2 3 4 5; do echo $i; done", tasks=2)
    assert job.text(rank=0) == job.text(rank=1) == "1\n2\n3\n4\n5\n"


async def test_a_fault_of_ours_after_the_files_are_open_ends_the_job(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_args: object) -> None:
        raise RuntimeError("a fault")

    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: faults.append(str(context["exception"]))
    )
    monkeypatch.setattr(affinity, "bind", fault)
    job = await jobs.run("true", output={"stdout": {"path": "out"}})
    assert await job.status() == 1 << 8
    assert [what["message"] for what in job.of("fatal")] == [
        "internal error: RuntimeError('a fault')"
    ]
    assert faults == ["a fault"]
