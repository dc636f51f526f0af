"""Clients that wait for the job manager, and go, or see it go."""

import asyncio
import errno
from pathlib import Path

import pytest

from support.job_instance import error_of, job_instance
from support.job_manager import FOREVER, WAITABLE, fails


async def test_waiting(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=4) as inst:
        bad = {"exec": {"test": {"wait_status": 256}}}
        first = await inst.submit(flags=WAITABLE)
        second = await inst.submit(flags=WAITABLE, **bad)
        assert await inst.rpc("job-manager.wait", {"id": second}) == {
            "id": second,
            "success": False,
            "errstr": "task(s) exited with exit code 1",
        }
        assert await inst.rpc("job-manager.wait", {"id": -1}) == {
            "id": first,
            "success": True,
            "errstr": "",
        }
        text = "invalid job id, or job may be inactive and not waitable"
        assert await fails(inst, "wait", {"id": first}) == (errno.ECHILD, text)
        text = "there are no more waitable jobs"
        assert await fails(inst, "wait", {"id": -1}) == (errno.ECHILD, text)
        assert await fails(inst, "wait", {}) == (errno.EPROTO, "malformed wait request")


async def test_a_client_that_waits_and_goes(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(flags=WAITABLE, **FOREVER)
        async with await inst.local.connect() as other:
            other.rpc("job-manager.wait", {"id": jobid})
            other.rpc("job-manager.idle")
            other.stream("job-manager.events-journal", {})
            await other.rpc("job-manager.getinfo")
            assert (await inst.rpc("job-manager.stats-get"))["journal"]["listeners"] == 1
        while (await inst.rpc("job-manager.stats-get"))["journal"]["listeners"]:
            await asyncio.sleep(0)
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        assert (await inst.rpc("job-manager.wait", {"id": jobid}))["id"] == jobid


async def test_removing_it_lets_nobody_wait_in_vain(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(flags=WAITABLE, **FOREVER)
        await inst.wait_for(jobid, "start")
        waiting = [
            inst.flux.rpc("job-manager.wait", {"id": jobid}),
            inst.flux.rpc("job-manager.drain"),
            inst.flux.rpc("job-manager.idle"),
        ]
        for name in ("sched-simple", "fake-exec", "job-ingest", "job-manager"):
            await inst.remove(name)
        for call in waiting:
            with pytest.raises(OSError) as caught:
                await call
            assert error_of(caught.value) == (errno.ENOSYS, "job-manager is unloading")
