"""What the job manager answers, in an instance of one broker."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fluxcore.job import states
from support.job_instance import JobInstance, error_of, job_instance

UID = os.getuid()
FOREVER = {"exec": {"test": {"run_duration": -1}}}
WAITABLE = 4


async def fails(inst: JobInstance, method: str, payload: dict[str, Any] | None = None) -> Any:
    with pytest.raises(OSError) as caught:
        await inst.rpc(f"job-manager.{method}", payload)
    return error_of(caught.value)


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


async def test_guests_have_no_power_over_others(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit(urgency=0)
        everyone = {"dry_run": True, "userid": 0xFFFFFFFF}
        raised = {"severity": 0, "type": "cancel"}
        for method, payload, text in (
            ("raise", {"id": jobid, **raised}, "can only raise exceptions on their own jobs"),
            ("raiseall", {**everyone, **raised, "states": 1}, "can only raise exceptions on their"),
            ("kill", {"id": jobid, "signum": 9}, "may only send signals to their own jobs"),
            ("killall", {**everyone, "signum": 9}, "can only kill their own jobs"),
            ("urgency", {"id": jobid, "urgency": 1}, "can only reprioritize their own jobs"),
            ("memo", {"id": jobid, "memo": {}}, "can only add a memo to their own jobs"),
            ("getattr", {"id": jobid, "attrs": []}, "can only access their own jobs"),
            (
                "update",
                {"id": jobid, "updates": {"attributes.system.duration": 1}},
                "may only update their own jobs",
            ),
            ("events-journal", {}, "Request requires owner credentials"),
            ("queue-start", {"start": True, "all": True}, "Request requires owner credentials"),
            ("wait", {"id": -1}, "Request requires owner credentials"),
            ("drain", {}, "Request requires owner credentials"),
        ):
            answer = await inst.rpc_as(4242, f"job-manager.{method}", payload)
            assert answer.errnum == errno.EPERM, method
            assert text in (answer.text or ""), method
        answer = await inst.rpc_as(4242, "job-manager.getinfo", {})
        assert answer.json == {"max_jobid": jobid}
        await inst.rpc("job-manager.raise", {"id": jobid, **raised})
        await inst.drain()


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


async def test_listing(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        running = await inst.submit(**FOREVER)
        await inst.wait_for(running, "start")
        held = await inst.submit(urgency=0)
        depends = await inst.submit(dependencies=[{"scheme": "afterok", "value": str(running)}])
        listed = (await inst.rpc("job-manager.list", {"max_entries": 0}))["jobs"]
        jobs = {job["id"]: job for job in listed}
        assert jobs.keys() == {running, held, depends}
        assert jobs[running]["state"] == states.RUN
        assert jobs[running]["annotations"]["sched"] == {"resource_summary": "rank0/core0"}
        assert jobs[held] == {
            "id": held,
            "userid": UID,
            "urgency": 0,
            "priority": 0,
            "t_submit": jobs[held]["t_submit"],
            "state": states.SCHED,
        }
        assert jobs[depends]["dependencies"] == [f"after-success={running}"]
        assert len((await inst.rpc("job-manager.list", {"max_entries": 1}))["jobs"]) == 1
        assert (await fails(inst, "list", {"max_entries": -1}))[0] == errno.EPROTO
        payload = {"id": running, "attrs": ["jobspec", "R", "eventlog"]}
        attrs = await inst.rpc("job-manager.getattr", payload)
        assert attrs["jobspec"]["version"] == 1
        assert attrs["R"]["execution"]["R_lite"][0]["rank"] == "0"
        assert attrs["eventlog"][0]["name"] == "submit"
        for payload, error in (
            ({"id": held, "attrs": ["R"]}, (errno.ENOENT, "R is NULL")),
            ({"id": held, "attrs": ["x"]}, (errno.ENOENT, "unknown attr x")),
            ({"id": held, "attrs": [1]}, (errno.EPROTO, "attribute list contains non-string")),
            ({"id": 1, "attrs": []}, (errno.EINVAL, "unknown job")),
        ):
            assert await fails(inst, "getattr", payload) == error
        for jobid in (held, running):
            await inst.rpc("job-manager.raise", {"id": jobid, "type": "cancel", "severity": 0})
        await inst.drain()
        last = await inst.rpc("job-manager.history.get", {"slice": "[:1]"})
        assert last == {"jobs": [depends]}
        assert await fails(inst, "history.get", {"slice": "x"}) == (
            errno.EINVAL,
            "could not parse python-style slice expression",
        )


async def test_the_journal(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        done = await inst.submit()
        await inst.drain()
        running = await inst.submit(**FOREVER)
        await inst.wait_for(running, "start")
        journal = inst.flux.stream("job-manager.events-journal", {"full": True}, timeout=20)
        seen: list[dict[str, Any]] = []
        async for entry in journal:
            seen.append(entry.json)
            if entry.json["id"] == -1:
                break
        assert [entry["id"] for entry in seen] == [done, running, -1]
        assert [event["name"] for event in seen[0]["events"]][-1] == "clean"
        assert {"jobspec", "R"} <= seen[0].keys()
        assert seen[-1] == {"id": -1, "events": []}
        await inst.rpc("job-manager.kill", {"id": running, "signum": 9})
        live = [entry.json async for entry in _until(journal, "clean")]
        names = [event["name"] for entry in live for event in entry["events"]]
        assert names == ["finish", "release", "free", "clean"]
        fresh = await inst.submit()
        told = [entry.json async for entry in _until(journal, "clean")]
        by_name = {event["name"]: entry for entry in told for event in entry["events"]}
        assert {entry["id"] for entry in told} == {fresh}
        assert by_name["submit"]["jobspec"]["version"] == 1
        assert by_name["alloc"]["R"]["version"] == 1
        assert "annotations" in by_name
        inst.flux.notify("job-manager.events-journal-cancel", {"matchtag": journal.tag})
        assert [entry async for entry in journal] == []
        assert (await inst.rpc("job-manager.stats-get"))["journal"]["listeners"] == 0


async def _until(journal: Any, name: str) -> Any:
    async for entry in journal:
        yield entry
        if any(event["name"] == name for event in entry.json["events"]):
            return


async def test_a_journal_of_some_events(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=1) as inst:
        jobid = await inst.submit()
        await inst.drain()
        for names, expected in (
            ({"allow": {"submit": 1, "free": 1}}, ["submit", "free"]),
            ({"allow": {"submit": 1, "free": 1}, "deny": {"free": 1}}, ["submit"]),
        ):
            journal = inst.flux.stream("job-manager.events-journal", {"full": True, **names})
            first = await anext(journal)
            assert first.json["id"] == jobid
            assert [event["name"] for event in first.json["events"]] == expected
            inst.flux.notify("job-manager.events-journal-cancel", {"matchtag": journal.tag})
        text = "job-manager.events requires streaming RPC flag"
        assert await fails(inst, "events-journal", {}) == (errno.EPROTO, text)
        bad = inst.flux.stream("job-manager.events-journal", {"allow": 1})
        with pytest.raises(OSError) as caught:
            await anext(bad)
        text = "job-manager.events allow should be an object"
        assert error_of(caught.value) == (errno.EPROTO, text)


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


async def test_plugins_are_built_in(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        plugins = (await inst.rpc("job-manager.jobtap", {"query_only": True}))["plugins"]
        assert ".priority-default" in plugins
        assert (await fails(inst, "jobtap", {"load": "x.so"}))[0] == errno.ENOSYS


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
