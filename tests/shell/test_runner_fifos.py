"""Shells with real tasks whose files are FIFOs: whoever waits for the other end, waits alone."""

import asyncio
import os
import signal
import threading
from typing import Any

from support.shell_jobs import Jobs, settled


def from_file(path: str) -> dict[str, Any]:
    return {"stdin": {"type": "file", "path": path}}


async def test_a_fifo_holds_up_its_own_job_alone(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    assert (await jobs.run("echo", "meanwhile")).text() == "meanwhile\n"
    assert job.reports == []
    with fifo.open("w") as file:
        file.write("at last\n")
    assert await job.status() == 0
    assert job.text() == "at last\n"


async def test_output_waits_for_the_reader_of_its_fifo(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("echo", "hello", output={"stdout": {"path": "fifo"}})
    text = await asyncio.to_thread(fifo.read_text)
    assert text == "hello\n"
    assert await job.status() == 0


async def test_a_job_whose_output_nobody_reads_can_be_killed(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    script = "yes | head -c 300000; echo done >&2"
    output = {"stdout": {"path": "fifo"}, "stderr": {"type": "kvs"}}
    job = jobs.start("sh", "-c", script, output=output)
    while job.text("stderr") != "done\n":
        await job.more()
    assert job.of("finished") == [], "there is no room for all of it"
    job.shell.signal(signal.SIGKILL, final=True)
    assert await job.status() == 0
    os.close(reader)


async def test_output_that_nobody_will_read_is_complained_about(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("sh", "-c", "read go; echo x", output={"stdout": {"path": "fifo"}})
    os.close(os.open(fifo, os.O_RDONLY))
    while not job.of("started"):
        await job.more()
    job.shell.input({"stream": "stdin", "rank": "all", "data": "go\n"})
    assert await job.status() == 0
    assert "write: Broken pipe" in [said["message"] for said in job.of("log")]


async def test_a_job_whose_files_do_not_open_can_be_killed(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    job.shell.signal(signal.SIGTERM)
    job.shell.signal(signal.SIGKILL, final=True)
    assert await job.status() == signal.SIGKILL
    assert [kind for kind, _what in job.reports] == ["finished"]
    fifo.open("w").close()  # what opens after all is closed again
    await settled(lambda: "open" not in [thread.name for thread in threading.enumerate()])


async def test_a_signal_while_files_are_opened_is_for_the_tasks(jobs: Jobs) -> None:
    fifo = jobs.folder / "fifo"
    os.mkfifo(fifo)
    job = jobs.start("cat", input=from_file("fifo"))
    job.shell.signal(signal.SIGTERM)
    with fifo.open("w"):
        assert await job.status() == 128 + signal.SIGTERM << 8


async def test_a_hostfile_that_is_a_fifo_is_an_empty_one(jobs: Jobs) -> None:
    os.mkfifo(jobs.folder / "fifo")
    taskmap = {"scheme": "hostfile", "value": str(jobs.folder / "fifo")}
    job = await jobs.run("true", taskmap=taskmap)
    assert "failed to map tasks with scheme=hostfile" in job.of("fatal")[0]["message"]
