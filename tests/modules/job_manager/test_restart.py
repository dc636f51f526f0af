"""Jobs outlive the job manager, and the instance (CONTRACTS D4, B18)."""

from pathlib import Path

import orjson
import pytest

from fluxcore.job.jobid import f58plain, kvs_key
from fluxcore.kvs.ops import put
from support.job_instance import job_instance
from support.job_manager import FOREVER


async def test_the_job_manager_is_loaded_again(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        done = await inst.submit(flags=4)
        await inst.drain()
        running = await inst.submit(**FOREVER)
        await inst.wait_for(running, "start")
        held, waiting = await inst.submit(urgency=0), await inst.submit()
        depends = await inst.submit(dependencies=[{"scheme": "afterok", "value": str(waiting)}])
        await inst.rpc("job-manager.queue-enable", {"enable": False, "all": True, "reason": "x"})
        before = await inst.events(running)
        for name in ("sched-simple", "fake-exec", "job-ingest", "job-manager"):
            await inst.remove(name)
        for name in ("job-manager", "job-ingest", "fake-exec", "sched-simple"):
            await inst.load(name)
        status = await inst.rpc("job-manager.queue-status", {})
        assert status["disable_reason"] == "x"
        await inst.rpc("job-manager.queue-enable", {"enable": True, "all": True})
        assert await inst.events(running) == before
        assert (await inst.rpc("job-manager.wait", {"id": done}))["success"]
        assert "flux-restart" in await inst.names(held)
        assert (await inst.rpc("job-manager.alloc-query"))["running"] == 1
        assert await inst.submit() > depends
        await inst.rpc("job-manager.kill", {"id": running, "signum": 9})
        await inst.wait_for(depends, "clean")
        assert (await inst.events(depends))[-2]["name"] == "free"
        await inst.rpc("job-manager.raise", {"id": held, "type": "cancel", "severity": 0})
        await inst.drain()
        log = (await inst.value(kvs_key(depends, "eventlog"))).splitlines()
        assert [orjson.loads(line) for line in log] == await inst.events(depends)


@pytest.mark.slow
async def test_the_instance_is_started_again(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        done = await inst.submit()
        await inst.drain()
        last = await inst.submit(urgency=0)
    async with job_instance(1, short_path, cores=2) as inst:
        assert (await inst.names(done))[-1] == "clean"
        assert (await inst.rpc("job-manager.history.get", {"slice": ":"}))["jobs"] == [last, done]
        assert await inst.submit() > last
        await inst.rpc("job-manager.urgency", {"id": last, "urgency": 16})
        await inst.drain()
        names = await inst.names(last)
        assert names[-1] == "clean"
        assert names.count("flux-restart") == 1


async def test_what_cannot_be_read_is_put_aside(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        good = await inst.submit()
        await inst.drain()
        for name in ("sched-simple", "fake-exec", "job-ingest", "job-manager"):
            await inst.remove(name)
        # Ids of a time that the instance does not reach: its own first one is of milliseconds.
        broken, bare, odd, listed = (n << 48 for n in range(1, 5))
        ops = [
            put(kvs_key(broken, "eventlog"), b'{"timestamp":1.0,"name":"validate"}\n'),
            put(kvs_key(broken, "jobspec"), b"{}"),
            put(kvs_key(bare, "jobspec"), b"{}"),
            put(kvs_key(odd, "eventlog.x"), b"a directory"),
            put(kvs_key(odd, "jobspec"), b"{}"),
            put(kvs_key(listed, "eventlog"), b'{"timestamp":1.0,"name":"validate"}\n'),
            put(kvs_key(listed, "jobspec"), b"1"),
            put("job.no.job.at.all.x", b"1"),
        ]
        await inst.rpc("kvs.commit", {"namespace": "primary", "flags": 0, "ops": ops})
        await inst.load("job-manager")
        assert (await inst.rpc("job-manager.stats-get"))["inactive_jobs"] == 1
        assert (await inst.names(good))[-1] == "clean"
        aside = f"job-lost+found.job.{f58plain(broken)}.jobspec"
        assert await inst.value(aside) == b"{}"
        assert await inst.job_dirs() == [kvs_key(good)]
        errors = await inst.errors()
        assert sum("not replayed" in line for line in errors) == 5
        assert await inst.value("job-lost+found.job.no.job.at.all.x") == b"1"


async def test_the_greatest_id_outlives_its_job(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit()
        await inst.drain()
        purge = {"age_limit": -1.0, "num_limit": 0, "batch": 9, "force": True}
        await inst.rpc("job-manager.purge", purge)
        for name in ("sched-simple", "fake-exec", "job-ingest", "job-manager"):
            await inst.remove(name)
        for name in ("job-manager", "job-ingest", "fake-exec", "sched-simple"):
            await inst.load(name)
        assert (await inst.rpc("job-manager.getinfo"))["max_jobid"] == jobid
        assert await inst.submit() > jobid
        await inst.drain()
