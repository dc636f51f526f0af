import errno
from pathlib import Path
from typing import Any

import orjson
import pytest

from fluxcore.job.jobid import kvs_key
from support.job_instance import JobInstance, error_of, job_instance
from support.job_manager import FOREVER
from support.job_world import jobspec


async def fails(inst: JobInstance, topic: str, payload: dict[str, Any]) -> Any:
    with pytest.raises(OSError) as caught:
        await inst.rpc(topic, payload)
    return error_of(caught.value)


async def test_r_is_in_the_kvs_and_annotated(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=4) as inst:
        jobid = await inst.submit(duration=3600)
        alloc = await inst.wait_for(jobid, "alloc")
        assert alloc["context"] == {"annotations": {"sched": {"resource_summary": "rank0/core0"}}}
        r = orjson.loads(await inst.value(kvs_key(jobid, "R")))
        execution = r["execution"]
        assert execution["R_lite"] == [{"rank": "0", "children": {"core": "0"}}]
        assert execution["expiration"] == execution["starttime"] + 3600
        assert execution["nodelist"] == ["host0"]
        await inst.drain()


async def test_jobs_wait_for_cores(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        first, second, third = [await inst.submit(**FOREVER) for _ in range(3)]
        await inst.wait_for(second, "start")
        query = await inst.rpc("job-manager.alloc-query")
        assert query == {"queue_length": 0, "alloc_pending": 1, "running": 2}
        assert "alloc" not in await inst.names(third)
        await inst.rpc("job-manager.kill", {"id": first, "signum": 15})
        await inst.wait_for(third, "start")
        for jobid in (second, third):
            await inst.rpc("job-manager.raise", {"id": jobid, "type": "cancel", "severity": 0})
        await inst.drain()


async def test_denied(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        spec = jobspec()
        spec["resources"][0]["count"] = 100
        jobid = await inst.submit_spec(spec)
        exception = await inst.wait_for(jobid, "exception")
        assert exception["context"]["type"] == "alloc"
        assert exception["context"]["severity"] == 0
        assert exception["context"]["note"] == (
            "unsatisfiable request: need 100 slot(s) of 1 core(s), only 2 such slot(s) "
            "available (total cores: 2)"
        )
        assert await fails(inst, "feasibility.check", {"jobspec": spec}) == (
            errno.EOVERFLOW,
            exception["context"]["note"],
        )
        assert await inst.rpc("feasibility.check", {"jobspec": jobspec()}) is None
        assert await fails(inst, "feasibility.check", {"jobspec": {}}) == (
            errno.EINVAL,
            "Missing key (resources)",
        )


async def test_a_malformed_free_hurts_nobody(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        r = (await inst.rpc("job-manager.getattr", {"id": jobid, "attrs": ["R"]}))["R"]
        for payload in (
            {"id": 12345, "R": r, "final": True},
            {"id": jobid, "R": {"version": 1}, "final": True},
            {"id": jobid, "R": "nonsense", "final": True},
            {"id": jobid},
        ):
            assert (await fails(inst, "sched.free", payload))[0] == errno.EPROTO
        status = await inst.rpc("sched.resource-status")
        assert status["allocated"]["execution"]["R_lite"] == r["execution"]["R_lite"]
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()
        status = await inst.rpc("sched.resource-status")
        assert status["allocated"]["execution"]["R_lite"] == []


async def test_a_scheduler_is_changed_while_jobs_run(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        jobids = [await inst.submit(**FOREVER) for _ in range(4)]
        await inst.wait_for(jobids[1], "start")
        await inst.remove("sched-simple")
        status = await inst.rpc("job-manager.queue-status", {})
        assert status == {"enable": True, "start": False, "stop_reason": "Scheduler is offline"}
        assert (await inst.rpc("job-manager.alloc-query"))["queue_length"] == 2
        # One ends in between: what it had is nobody's to give back.
        await inst.rpc("job-manager.kill", {"id": jobids[0], "signum": 15})
        await inst.wait_for(jobids[0], "clean")
        await inst.load("sched-simple", "queue-depth=1")
        await inst.wait_for(jobids[2], "start")
        assert (await inst.rpc("job-manager.alloc-query"))["running"] == 2
        assert (await inst.rpc("job-manager.queue-status", {})) == {"enable": True, "start": True}
        await inst.rpc("job-manager.raiseall", raise_all())
        await inst.drain()


def raise_all() -> dict[str, Any]:
    return {
        "dry_run": False,
        "userid": 0xFFFFFFFF,
        "states": 62,
        "severity": 0,
        "type": "cancel",
    }


async def test_a_job_that_cannot_keep_its_resources_ends(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        await inst.remove("sched-simple")
        r = orjson.loads(await inst.value(kvs_key(jobid, "R")))
        r["execution"]["R_lite"][0]["rank"] = "7"
        from fluxcore.kvs.ops import put

        ops = [put(kvs_key(jobid, "R"), orjson.dumps(r))]
        await inst.rpc("kvs.commit", {"namespace": "primary", "flags": 0, "ops": ops})
        await inst.load("sched-simple")
        exception = await inst.wait_for(jobid, "exception")
        assert exception["context"]["type"] == "scheduler-restart"
        assert exception["context"]["note"] == "failed to reallocate R for running job"
        await inst.drain()


async def test_loading_it_wrongly_or_twice(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        with pytest.raises(FileExistsError):
            await inst.load("sched-simple")
        await inst.remove("sched-simple")
        with pytest.raises(OSError) as caught:
            await inst.load("sched-simple", "bogus=1")
        assert error_of(caught.value)[0] == errno.EINVAL
        await inst.load("sched-simple")
        await inst.submit()
        await inst.drain()


async def test_an_expiration_may_change(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        ok = {"id": 1, "expiration": 1.5}
        assert await inst.rpc("sched.expiration", ok) is None
        bad = {"id": 1, "expiration": -1}
        assert (await fails(inst, "sched.expiration", bad))[0] == errno.EINVAL
        await inst.rpc("sched-simple.debug", {"op": "setbit", "flags": 4})
        assert await fails(inst, "sched.expiration", ok) == (
            errno.EINVAL,
            "Rejecting expiration update for testing",
        )


async def test_hooks_for_tests(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        await inst.rpc("sched-simple.debug", {"op": "set", "flags": 1})
        jobid = await inst.submit()
        exception = await inst.wait_for(jobid, "exception")
        assert exception["context"]["note"] == "DEBUG_FAIL_ALLOC"
        await inst.rpc("sched-simple.debug", {"op": "set", "flags": 2})
        first = await inst.submit(**FOREVER)
        await inst.wait_for(first, "start")
        waiting = await inst.submit()
        annotated = await inst.wait_for_annotation(waiting)
        assert annotated == {"sched": {"reason_pending": "insufficient resources", "jobs_ahead": 0}}
        await inst.rpc("job-manager.kill", {"id": first, "signum": 9})
        alloc = await inst.wait_for(waiting, "alloc")
        # Why it has waited is of no interest any more.
        assert alloc["context"] == {"annotations": {"sched": {"resource_summary": "rank0/core0"}}}
        await inst.drain()


async def test_ranks_that_go_down_get_no_jobs(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        await inst.rpc("resource.drain", {"targets": "0", "reason": "test"})
        jobid = await inst.submit()
        await inst.wait_for(jobid, "priority")
        assert "alloc" not in await inst.names(jobid)
        await inst.rpc("resource.undrain", {"targets": "0"})
        await inst.drain()
        assert (await inst.names(jobid))[-1] == "clean"


async def test_priorities_of_waiting_jobs(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        first = await inst.submit(**FOREVER)
        await inst.wait_for(first, "start")
        low, high = await inst.submit(), await inst.submit()
        await inst.rpc("job-manager.urgency", {"id": high, "urgency": 31})
        await inst.rpc("job-manager.kill", {"id": first, "signum": 15})
        await inst.drain()
        alloc = {
            jobid: next(e["timestamp"] for e in await inst.events(jobid) if e["name"] == "alloc")
            for jobid in (low, high)
        }
        assert alloc[high] < alloc[low]
