"""Inactive jobs that are purged."""

import asyncio
import errno
from pathlib import Path
from typing import Any

from support.job_instance import job_instance
from support.job_manager import fails


async def test_purging(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=4) as inst:
        jobids = [await inst.submit() for _ in range(5)]
        await inst.drain()
        payload = {"age_limit": -1.0, "num_limit": 2, "batch": 50, "force": False}
        assert await inst.rpc("job-manager.purge", payload) == {"count": 3}
        assert (await inst.rpc("job-manager.stats-get"))["inactive_jobs"] == 5
        assert await inst.rpc("job-manager.purge", {**payload, "force": True}) == {"count": 3}
        assert len(await inst.job_dirs()) == 2
        left = (await inst.rpc("job-manager.history.get", {"slice": ":"}))["jobs"]
        assert len(left) == 2
        assert await inst.rpc("job-manager.purge-id", {"id": left[0], "force": 1}) == {"count": 1}
        for change, text in (
            ({"age_limit": -2.0}, "if set, age limit must be >= 0"),
            ({"num_limit": -2}, "if set, num limit must be >= 0"),
            ({"batch": 0}, "batch must be >= 1 and <= 100"),
        ):
            assert await fails(inst, "purge", {**payload, **change}) == (errno.EINVAL, text)
        assert await fails(inst, "purge-id", {"id": 1, "force": 0}) == (
            errno.ENOENT,
            "id not found",
        )
        everything = {**payload, "num_limit": 0, "force": True}
        assert await inst.rpc("job-manager.purge", everything) == {"count": 1}
        assert (await inst.rpc("job-manager.getinfo")) == {"max_jobid": max(jobids)}


async def test_purging_by_configuration(short_path: Path) -> None:
    conf = ["job-manager.inactive-num-limit=1"]
    async with job_instance(1, short_path, cores=4, conf_updates=conf) as inst:
        for _ in range(3):
            await inst.submit()
        await inst.drain()
        purged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await inst.flux.subscribe("job-purge-inactive", lambda msg: purged.set_result(msg.json))
        inst.flux.publish("heartbeat.pulse")
        assert len((await purged)["jobs"]) == 2
