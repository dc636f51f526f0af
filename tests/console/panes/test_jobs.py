import asyncio
import errno

import pytest

from fluxcore.job.eventlog import Event
from fluxcore.job.output import Data
from fluxtop.data.job import Happened, JobDocument, JobWatch, OutputWatch, Printed
from fluxtop.data.jobs import CancelJob, JobEvents, JobsChanged, JobsWatch
from fluxtop.data.trouble import Trouble

pytestmark = pytest.mark.usefixtures("quick")

TRAIN = 13336259330048
NOW = 1795346760.0


async def test_jobs_of_all_states_are_listed_newest_first(pilot, see):
    screen = await see(pilot, "1 pending, 1 running, 2 failed")
    names = ["train", "wait", "true", "false", "echo"]
    places = [screen.index(f" {name} ") for name in names]
    assert places == sorted(places)
    for text in ("▶ run", "◌ sched", "✖ failed", "✔ completed", "1m 15s", "exit 1"):
        assert text in screen


async def test_a_job_moves_as_its_events_come(pilot, source, see):
    finish = Event(NOW - 5, "finish", {"status": 9})
    clean = Event(NOW - 5, "clean")
    source.say(JobsWatch(), JobsChanged((JobEvents(TRAIN, (finish, clean)),)))
    screen = await see(pilot, "1 pending, 0 running, 3 failed")
    (line,) = [line for line in screen.splitlines() if "train" in line]
    assert "✖ failed" in line
    assert "1m 10s" in line
    assert "signal 9" in line


async def test_only_active_jobs_are_shown_on_demand(pilot, see):
    await pilot.press("4", "a")
    screen = await see(pilot, "active only")
    assert "echo" not in screen
    await pilot.press("a", "slash", *"false", "enter")
    screen = await see(pilot, "/false")
    assert "train" not in screen


async def test_a_job_opens_with_its_events_and_output(pilot, source, see):
    await pilot.press("4", "enter")
    await see(pilot, "7 Job", "submit", "0.030s  priority", "epoch 2", "3: warning: slow")
    screen = await see(pilot, "train  ▶ run  for 1m 15s  8 tasks  on 2-3")
    assert screen.index("0: epoch 1") < screen.index("0: epoch 2")
    source.say(OutputWatch(TRAIN), Printed(False, (Data("stdout", "1", b"done\n"),), end=True))
    await see(pilot, "1: done", "output, complete")
    await pilot.press("v")
    await see(pilot, '"resources": [')
    await pilot.press("v")
    await see(pilot, '"R_lite": [')


async def test_a_job_that_cannot_be_read_says_why(pilot, source, see):
    subject = JobWatch(13331964362752)
    source.say(subject, Trouble(errno.EPERM, "access is restricted to job/instance owner"))
    await pilot.press("4", "j", "enter")
    await see(pilot, "EPERM: access is restricted to job/instance owner")


async def test_output_is_followed_once_the_job_starts(pilot, source, see, until):
    waiting = 13331964362752
    submit = Event(NOW - 9, "submit", {"userid": 0})
    source.say(JobWatch(waiting), Happened(True, (submit,)))
    await pilot.press("4", "j", "enter")
    await see(pilot, "submit")
    assert OutputWatch(waiting) not in source.watched
    source.say(JobWatch(waiting), Happened(False, (Event(NOW, "start"),)))
    await until(pilot, lambda: OutputWatch(waiting) in source.watched)


async def test_a_job_that_never_ran_says_why_where_its_output_would_be(pilot, source, see):
    failed, waiting = 13324213288960, 13331964362752
    note = "unsatisfiable request: need 100 slots, have 8, and this text goes on to be told whole"
    events = (
        Event(NOW - 9, "submit", {"userid": 0}),
        Event(NOW - 8, "exception", {"type": "alloc", "severity": 0, "note": note}),
        Event(NOW - 8, "clean"),
    )
    source.say(JobWatch(failed), Happened(True, events))
    source.say(JobWatch(waiting), Happened(True, events[:1]))
    await pilot.press("4", "j", "j", "enter")
    await see(pilot, "alloc: unsatisfiable request: need 100 slots", "goes on to be told", "whole")
    await pilot.press("4", "k", "enter")
    await see(pilot, "it has not started")


async def test_a_document_that_comes_late_is_not_another_jobs(pilot, source, see):
    asked, answered = asyncio.Event(), asyncio.Event()
    call = source.call

    async def slow(operation):
        if operation == JobDocument(TRAIN, "jobspec"):
            asked.set()
            await answered.wait()
            raise FileNotFoundError(errno.ENOENT, "of the first job")
        return await call(operation)

    source.call = slow
    await pilot.press("4", "enter")
    await asked.wait()
    await pilot.press("4", "j", "enter", "v")
    await see(pilot, '"resources": [')
    answered.set()
    await pilot.press("v", "v", "v")
    await see(pilot, '"resources": [')


async def test_a_cancel_asks_first(pilot, source, see, changes):
    await pilot.press("4", "X")
    await see(pilot, "$ flux cancel ƒ73Kca1XV")
    assert changes() == []
    await pilot.press("enter")
    await see(pilot, "ƒ73Kca1XV is cancelled")
    assert changes() == [CancelJob(TRAIN)]


async def test_a_cancel_that_comes_too_late_says_so(pilot, source, see):
    def fail(_operation):
        raise FileNotFoundError(errno.ENOENT, "job is inactive")

    source.answer(CancelJob, fail)
    await pilot.press("4", "X")
    await see(pilot, "flux cancel")
    await pilot.press("enter")
    await see(pilot, "ENOENT: job is inactive")


async def test_back_leads_from_the_job_to_the_list(pilot, see):
    await pilot.press("4", "enter")
    await see(pilot, "7 Job")
    await pilot.press("q")
    screen = await see(pilot, "4 Jobs", "X Cancel")
    assert "7 Job" not in screen
