"""The services that jobs are executed by, and plugins."""

import errno
from pathlib import Path

import pytest

from support.job_instance import error_of, job_instance
from support.job_manager import FOREVER, UID, fails


async def test_an_execution_service_that_talks_nonsense(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        for kind, data in (
            ("start", {}),
            ("nonsense", {}),
            ("finish", {}),
            ("finish", {"status": "x"}),
            ("release", {"ranks": "all"}),
            ("exception", {"severity": 1}),
        ):
            await inst.rpc("fake-exec.say", {"id": jobid, "type": kind, "data": data})
        assert (await inst.names(jobid))[-1] == "start"
        exception = {"severity": 2, "type": "exec", "note": "lost contact"}
        said = {"id": jobid, "type": "exception", "data": exception}
        await inst.rpc("fake-exec.say", said)
        assert (await inst.events(jobid))[-1]["context"] == {**exception, "userid": UID}
        errors = await inst.errors()
        assert any("unknown response type=nonsense" in line for line in errors)
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()


async def test_an_execution_service_is_changed(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        with pytest.raises(OSError) as caught:
            await inst.rpc("job-manager.exec-hello", {"service": "other"})
        assert error_of(caught.value)[0] == errno.EINVAL
        await inst.remove("fake-exec")
        waiting = await inst.submit()
        await inst.load("fake-exec")
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()
        assert (await inst.names(jobid)).count("start") == 1
        assert (await inst.names(waiting))[-1] == "clean"


async def test_plugins_are_built_in(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        plugins = (await inst.rpc("job-manager.jobtap", {"query_only": True}))["plugins"]
        assert ".priority-default" in plugins
        assert (await fails(inst, "jobtap", {"load": "x.so"}))[0] == errno.ENOSYS
