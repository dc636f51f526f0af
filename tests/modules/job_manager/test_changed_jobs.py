"""Jobs whose urgency, jobspec, queue or memo is changed, in an instance of one broker."""

import errno
from pathlib import Path

from support.job_instance import job_instance
from support.job_manager import FOREVER, UID, fails


async def test_urgency(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(urgency=0, **FOREVER)
        changed = await inst.rpc("job-manager.urgency", {"id": jobid, "urgency": 5})
        assert changed == {"old_urgency": 0}
        urgency = await inst.wait_for(jobid, "urgency")
        assert urgency["context"] == {"userid": UID, "urgency": 5}
        await inst.wait_for(jobid, "start")
        for payload, text in (
            ({"id": jobid, "urgency": 99}, "urgency value is out of range"),
            (
                {"id": jobid, "urgency": 3},
                "urgency cannot be changed once resources are allocated",
            ),
            ({"id": 1, "urgency": 3}, "unknown job id"),
        ):
            assert await fails(inst, "urgency", payload) == (errno.EINVAL, text)
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()
        assert await fails(inst, "urgency", {"id": jobid, "urgency": 3}) == (
            errno.EINVAL,
            "job is inactive",
        )


async def test_memos(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(**FOREVER)
        await inst.wait_for(jobid, "start")
        await inst.rpc("job-manager.memo", {"id": jobid, "memo": {"a": {"b": 1, "c": 2}}})
        volatile = {"id": jobid, "volatile": True, "memo": {"a": {"b": None}}}
        await inst.rpc("job-manager.memo", volatile)
        assert (await inst.wait_for_annotation(jobid))["user"] == {"a": {"c": 2}}
        memos = [event for event in await inst.events(jobid) if event["name"] == "memo"]
        assert [memo["context"] for memo in memos] == [{"a": {"b": 1, "c": 2}}]
        assert await fails(inst, "memo", {"id": 1, "memo": {}}) == (
            errno.ENOENT,
            "unknown job id",
        )
        assert (await fails(inst, "memo", {"id": jobid, "memo": 1}))[0] == errno.EPROTO
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()


async def test_updates(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(urgency=0)
        duration = {"attributes.system.duration": 60.0}
        assert await inst.rpc("job-manager.update", {"id": jobid, "updates": duration}) is None
        assert (await inst.wait_for(jobid, "jobspec-update"))["context"] == duration
        for updates, text in (
            ({"nonsense": 1}, "one or more jobspec updates are invalid"),
            ({"attributes.system.cwd": "/"}, "update of attributes.system.cwd not supported"),
            ({"attributes.system.duration": -1}, "duration must not be negative"),
            ({"attributes.system.queue": "x"}, "'x' is not a valid queue"),
        ):
            payload = {"id": jobid, "updates": updates}
            assert await fails(inst, "update", payload) == (errno.EINVAL, text)
        await inst.rpc("job-manager.urgency", {"id": jobid, "urgency": 16})
        await inst.drain()
        assert await fails(inst, "update", {"id": jobid, "updates": duration}) == (
            errno.EINVAL,
            "job is inactive",
        )
        assert await fails(inst, "update", {"id": 1, "updates": duration}) == (
            errno.ENOENT,
            "unknown job id",
        )


async def test_the_duration_of_a_running_job(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(duration=100, **FOREVER)
        alloc = await inst.wait_for(jobid, "start")
        payload = {"id": jobid, "updates": {"attributes.system.duration": 1000}}
        await inst.rpc("job-manager.update", payload)
        update = await inst.wait_for(jobid, "resource-update")
        assert update["context"]["expiration"] > alloc["timestamp"] + 900
        r = (await inst.rpc("job-manager.getattr", {"id": jobid, "attrs": ["R"]}))["R"]
        assert r["execution"]["expiration"] == update["context"]["expiration"]
        payload["updates"] = {"attributes.system.duration": 0.0000001}
        text = "requested duration places job expiration in the past"
        assert await fails(inst, "update", payload) == (errno.EINVAL, text)
        await inst.rpc("sched-simple.debug", {"op": "setbit", "flags": 4})
        payload["updates"] = {"attributes.system.duration": 2000}
        text = "scheduler refused expiration update"
        assert await fails(inst, "update", payload) == (errno.EINVAL, text)
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()


async def test_moving_a_job_to_another_queue(short_path: Path) -> None:
    conf = ["queues.debug={}", "queues.batch={}", 'queues.gold={requires=["gold"]}']
    async with job_instance(1, short_path, cores=1, conf_updates=conf) as inst:
        jobid = await inst.submit(queue="debug")
        move = {"id": jobid, "updates": {"attributes.system.queue": "batch"}}
        await inst.rpc("job-manager.update", move)
        update = await inst.wait_for(jobid, "jobspec-update")
        assert update["context"] == {
            "attributes.system.queue": "batch",
            "attributes.system.constraints": {},
        }
        assert await fails(inst, "update", move) == (
            errno.EINVAL,
            "job queue is already set to batch",
        )
        move["updates"] = {"attributes.system.queue": "gold"}
        assert (await fails(inst, "update", move))[0] == errno.EOVERFLOW
        await inst.rpc("job-manager.raise", {"id": jobid, "type": "cancel", "severity": 0})
        await inst.drain()


async def test_any_event_can_be_posted(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        jobid = await inst.submit(urgency=0)
        event = {"id": jobid, "name": "foo", "context": {"bar": 1}}
        await inst.rpc("job-manager.post-event.post", event)
        assert (await inst.events(jobid))[-1]["context"] == {"bar": 1}
        for bad in ({"name": "clean"}, {"name": "exception"}, {"name": "alloc"}):
            number, _text = await fails(inst, "post-event.post", {"id": jobid, **bad})
            assert number == errno.EINVAL
        await inst.rpc("job-manager.raise", {"id": jobid, "type": "cancel", "severity": 0})
        await inst.drain()
