"""Exceptions and signals, in an instance of one broker."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

from fluxcore.job import states
from support.job_instance import job_instance
from support.job_manager import FOREVER, UID, fails


async def test_exceptions(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=4) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        exception = {"id": jobid, "type": "test", "severity": 3, "note": "hello"}
        assert await inst.rpc("job-manager.raise", exception) is None
        assert (await inst.events(jobid))[-1]["context"] == {
            "type": "test",
            "severity": 3,
            "note": "hello",
            "userid": UID,
        }
        for change, error in (
            ({"severity": 8}, (errno.EPROTO, "invalid exception severity")),
            ({"severity": -1}, (errno.EPROTO, "invalid exception severity")),
            ({"type": ""}, (errno.EPROTO, "invalid exception type")),
            ({"type": "a=b"}, (errno.EPROTO, "invalid exception type")),
            ({"type": "a b"}, (errno.EPROTO, "invalid exception type")),
            ({"id": 1234567}, (errno.ENOENT, "unknown job id")),
            ({"id": "x"}, (errno.EPROTO, os.strerror(errno.EPROTO))),
        ):
            assert await fails(inst, "raise", {**exception, **change}) == error
        fatal = {"id": jobid, "type": "cancel", "severity": 0, "wait_status": 9}
        await inst.rpc("job-manager.raise", fatal)
        await inst.wait_for(jobid, "clean")
        assert await fails(inst, "raise", exception) == (errno.ENOENT, "job is inactive")
        ended = [event for event in await inst.events(jobid) if event["name"] == "exception"]
        assert ended[-1]["context"]["wait_status"] == 9


async def test_an_exception_is_published(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=4) as inst:
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await inst.flux.subscribe("job-exception", lambda msg: heard.put_nowait(msg.json))
        jobid = await inst.submit(**FOREVER)
        await inst.rpc("job-manager.raise", {"id": jobid, "type": "cancel", "severity": 0})
        assert await heard.get() == {"id": jobid, "type": "cancel", "severity": 0}
        await inst.drain()


async def test_exceptions_for_all(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        jobids = [await inst.submit(**FOREVER) for _ in range(3)]
        await inst.wait_for(jobids[1], "start")
        payload = {
            "dry_run": True,
            "userid": 0xFFFFFFFF,
            "states": states.RUN,
            "severity": 0,
            "type": "cancel",
        }
        count = await inst.rpc("job-manager.raiseall", payload)
        assert count == {"count": 2, "errors": 0}
        other = {**payload, "userid": UID + 1, "states": 127}
        assert await inst.rpc("job-manager.raiseall", other) == {"count": 0, "errors": 0}
        everyone = {**payload, "dry_run": False, "states": states.ACTIVE}
        assert await inst.rpc("job-manager.raiseall", everyone) == {"count": 3, "errors": 0}
        await inst.drain()


async def test_signals(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid, waiting = await inst.submit(**FOREVER), await inst.submit()
        await inst.wait_for(jobid, "start")
        assert await fails(inst, "kill", {"id": jobid, "signum": 99}) == (
            errno.EINVAL,
            "Invalid signal number",
        )
        assert await fails(inst, "kill", {"id": 1, "signum": 9}) == (
            errno.EINVAL,
            "unknown job id",
        )
        assert await fails(inst, "kill", {"id": waiting, "signum": 9}) == (
            errno.EINVAL,
            "job is not running",
        )
        everyone = {"dry_run": False, "userid": 0xFFFFFFFF, "signum": 10}
        assert await inst.rpc("job-manager.killall", everyone) == {"count": 1, "errors": 0}
        finish = await inst.wait_for(jobid, "finish")
        assert finish["context"] == {"status": 10}
        await inst.drain()
        assert await fails(inst, "kill", {"id": jobid, "signum": 9}) == (
            errno.EINVAL,
            "job is inactive",
        )
