"""Queues that are stopped, disabled and named, in an instance of one broker."""

import errno
from pathlib import Path

import pytest

from support.job_instance import error_of, job_instance
from support.job_manager import fails


async def test_queues(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        assert await inst.rpc("job-manager.queue-list") == {"queues": []}
        await inst.rpc("job-manager.queue-start", {"start": False, "all": False, "reason": "tea"})
        status = await inst.rpc("job-manager.queue-status", {})
        assert status == {"enable": True, "start": False, "stop_reason": "tea"}
        jobid = await inst.submit()
        await inst.wait_for(jobid, "priority")
        idle = await inst.rpc("job-manager.idle")
        assert idle == {"pending": 1}
        await inst.rpc("job-manager.queue-start", {"start": True, "all": False})
        await inst.drain()
        disable = {"enable": False, "all": False}
        assert await fails(inst, "queue-enable", disable) == (
            errno.EINVAL,
            "reason is required for disable",
        )
        await inst.rpc("job-manager.queue-enable", {**disable, "reason": "closed"})
        with pytest.raises(OSError) as caught:
            await inst.submit()
        text = "job submission is disabled: closed"
        assert error_of(caught.value) == (errno.EINVAL, text)
        assert await fails(inst, "queue-status", {"name": "x"}) == (
            errno.EINVAL,
            "'x' is not a valid queue",
        )
        await inst.rpc("job-manager.queue-enable", {"enable": True, "all": False})


async def test_named_queues(short_path: Path) -> None:
    conf = ["queues.debug={}", "queues.batch={}"]
    async with job_instance(1, short_path, cores=1, conf_updates=conf) as inst:
        assert await inst.rpc("job-manager.queue-list") == {"queues": ["debug", "batch"]}
        jobid = await inst.submit(queue="debug")
        with pytest.raises(OSError) as caught:
            await inst.submit()
        assert error_of(caught.value) == (errno.EINVAL, "a named queue is required")
        text = "Use --all to apply this command to all queues"
        assert await fails(inst, "queue-start", {"start": True, "all": False}) == (
            errno.EINVAL,
            text,
        )
        await inst.rpc("job-manager.queue-start", {"start": True, "all": True})
        await inst.drain()
        assert (await inst.names(jobid))[-1] == "clean"
