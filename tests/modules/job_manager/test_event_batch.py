"""Eventlogs on their way to the KVS: what is one commit, when it goes, who hears of it."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from fluxcore.job.jobid import kvs_key
from fluxcore.modules.job_manager.batch import EventBatch
from fluxcore.modules.job_manager.job import Job
from fluxcore.wire.message import Message, error_response, response
from support.virtual_time import run_in_virtual_time

ONE, TWO = (Job(jobid, {"version": 1}) for jobid in (1, 2))


class Rig:
    """A batch whose commits are answered when the test says so."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.commits: list[Message] = []
        self.times: list[float] = []
        self.failures: list[int | None] = []
        self.told: list[str] = []
        self.flux = Flux(self._send)
        self.batch = EventBatch(self.flux, lambda exc: self.failures.append(exc.errno))

    def _send(self, msg: Message) -> None:
        assert msg.topic == "kvs.commit"
        self.commits.append(msg)
        self.times.append(round(self.loop.time(), 3))

    def then(self, name: str) -> None:
        self.batch.then(lambda: self.told.append(name))

    def answer(self) -> None:
        self.flux.receive(response(self.commits[-1]))

    def fail(self, errnum: int) -> None:
        self.flux.receive(error_response(self.commits[-1], errnum))

    def keys(self) -> list[list[str]]:
        return [[op["key"] for op in commit.json["ops"]] for commit in self.commits]


def run(story: Callable[[Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        rig = Rig()
        await story(rig)
        await rig.flux.close()

    run_in_virtual_time(main())


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def log(job: Job) -> str:
    return kvs_key(job.id, "eventlog")


def test_what_is_posted_in_one_turn_is_one_commit() -> None:
    async def story(rig: Rig) -> None:
        for job, line in ((ONE, b"a\n"), (TWO, b"b\n"), (ONE, b"c\n")):
            rig.batch.append(job, line)
        await turn()
        assert rig.keys() == [[log(ONE), log(TWO)]]
        data: list[Any] = [op["dirent"]["data"] for op in rig.commits[0].json["ops"]]
        assert data == ["YQpjCg==", "Ygo="]

    run(story)


def test_commits_keep_their_distance_unless_somebody_waits() -> None:
    async def story(rig: Rig) -> None:
        rig.batch.append(ONE, b"a\n")
        await turn()
        rig.answer()
        rig.batch.append(ONE, b"b\n")
        await asyncio.sleep(0.02)
        assert rig.times == [0.0, 0.01]
        rig.answer()
        await asyncio.sleep(0.08)
        rig.batch.append(ONE, b"c\n")
        await turn()
        assert rig.times == [0.0, 0.01, 0.1]
        rig.answer()
        rig.batch.append(ONE, b"d\n")
        rig.then("hurry")
        await turn()
        assert rig.times == [0.0, 0.01, 0.1, 0.1]
        assert rig.told == []
        rig.answer()
        assert rig.told == ["hurry"]
        rig.batch.timeout = 0.5
        rig.batch.append(ONE, b"e\n")
        await asyncio.sleep(1)
        assert rig.times[-1] == 0.6

    run(story)


def test_there_is_one_commit_at_a_time() -> None:
    async def story(rig: Rig) -> None:
        rig.batch.append(ONE, b"a\n")
        rig.then("first")
        await turn()
        rig.batch.append(TWO, b"b\n")
        rig.then("second")
        await asyncio.sleep(1)
        assert rig.keys() == [[log(ONE)]]
        rig.answer()
        assert rig.told == ["first"]
        await turn()
        assert rig.keys() == [[log(ONE)], [log(TWO)]]
        rig.answer()
        assert rig.told == ["first", "second"]

    run(story)


def test_who_waits_for_nothing_is_told_at_once_but_not_within_the_call() -> None:
    async def story(rig: Rig) -> None:
        rig.then("nothing")
        assert rig.told == []
        await turn()
        assert rig.told == ["nothing"]
        rig.batch.append(ONE, b"a\n")
        await turn()
        rig.then("under way")
        await turn()
        assert rig.told == ["nothing"]
        rig.answer()
        await turn()
        assert rig.told == ["nothing", "under way"]
        assert len(rig.commits) == 1

    run(story)


def test_what_is_withdrawn_is_not_written() -> None:
    async def story(rig: Rig) -> None:
        rig.batch.append(ONE, b"a\n")
        rig.batch.append(TWO, b"b\n")
        rig.batch.withdraw(ONE)
        await turn()
        assert rig.keys() == [[log(TWO)]]
        rig.answer()
        rig.batch.append(ONE, b"c\n")
        rig.then("done")
        rig.batch.withdraw(ONE)
        await turn()
        assert (len(rig.commits), rig.told) == (1, ["done"])

    run(story)


def test_a_commit_that_fails_is_the_last_and_nobody_hears_that_it_is_written() -> None:
    async def story(rig: Rig) -> None:
        rig.batch.append(ONE, b"a\n")
        rig.then("written")
        await turn()
        rig.batch.append(TWO, b"b\n")
        rig.fail(errno.ENOSPC)
        rig.then("later")
        await asyncio.sleep(1)
        assert rig.failures == [errno.ENOSPC]
        assert (len(rig.commits), rig.told) == (1, [])
        await rig.batch.finish()

    run(story)


@pytest.mark.parametrize("works", [True, False])
def test_finishing_waits_for_all_that_can_be_written(works: bool) -> None:
    async def story(rig: Rig) -> None:
        await rig.batch.finish()
        rig.batch.append(ONE, b"a\n")
        await turn()
        rig.batch.append(TWO, b"b\n")
        finishing = asyncio.ensure_future(rig.batch.finish())
        rig.answer()
        await asyncio.sleep(0.5)
        assert not finishing.done()
        if works:
            rig.answer()
        else:
            rig.fail(errno.EIO)
        await finishing
        assert rig.keys() == [[log(ONE)], [log(TWO)]]

    run(story)


def test_nothing_is_sent_when_the_handle_is_closed() -> None:
    async def story(rig: Rig) -> None:
        rig.batch.append(ONE, b"a\n")
        await turn()
        rig.answer()
        rig.batch.append(ONE, b"b\n")
        await rig.flux.close()
        await asyncio.sleep(1)
        assert len(rig.commits) == 1
        await rig.batch.finish()

    run(story)
