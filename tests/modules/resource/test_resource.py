"""The resource module in instances of one and of four brokers."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from fluxcore.modules.resource.local import core_cpus
from support.job_instance import JobInstance, error_of, job_instance

ONLY = ["job-manager", "job-ingest", "fake-exec", "sched-simple"]


async def fails(
    inst: JobInstance, method: str, payload: dict[str, Any] | None = None, rank: int = 0
) -> Any:
    with pytest.raises(OSError) as caught:
        await inst.rpc(f"resource.{method}", payload, rank)
    return error_of(caught.value)


@pytest.mark.slow
async def test_four_ranks_are_discovered(short_path: Path) -> None:
    async with job_instance(4, short_path, without=ONLY) as inst:
        journal = inst.flux.stream("resource.journal", timeout=20)
        names: list[str] = []
        async for entry in journal:
            names += [event["name"] for event in entry.json["events"]]
            if "R" in entry.json:
                assert entry.json["R"]["execution"]["nodelist"] == ["host[0-3]"]
            if "resource-define" in names and not entry.json["events"]:
                break
            if "resource-define" in names and names.count("online"):
                break
        inst.flux.notify("resource.journal-cancel", {"matchtag": journal.tag})
        assert names[0] == "restart"
        cores = "0" if len(core_cpus()) == 1 else f"0-{len(core_cpus()) - 1}"
        answer = await inst.rpc("resource.get")
        assert answer["method"] == "dynamic-discovery"
        assert answer["R"]["execution"] == {
            "R_lite": [{"rank": "0-3", "children": {"core": cores}}],
            "starttime": 0.0,
            "expiration": 0.0,
            "nodelist": ["host[0-3]"],
        }
        assert orjson.loads(await inst.value("resource.R")) == answer["R"]
        assert await inst.rpc("resource.get", rank=3) == answer
        status = await inst.rpc("resource.status")
        assert status == {
            "R": answer["R"],
            "drain": {},
            "online": "0-3",
            "offline": "",
            "exclude": "",
            "torpid": "",
        }
        log = (await inst.value("resource.eventlog")).splitlines()
        assert [json.loads(line)["name"] for line in log] == ["resource-define"]


@pytest.mark.slow
async def test_loading_it_again_changes_nothing(short_path: Path) -> None:
    async with job_instance(4, short_path, without=ONLY) as inst:
        before = (await inst.rpc("resource.get"))["R"]
        for rank in (3, 1, 0):
            await inst.remove("resource", rank)
            await inst.load("resource", rank=rank)
        await inst.rpc("resource.monitor-waitup", {"up": 4})
        answer = await inst.rpc("resource.get")
        assert answer == {"R": before, "method": "kvs"}


async def test_only_rank_0_knows(short_path: Path) -> None:
    async with job_instance(2, short_path, without=ONLY) as inst:
        text = "this RPC only works on rank 0"
        for method in ("status", "sched-status"):
            assert await fails(inst, method, rank=1) == (errno.EPROTO, text)
        assert await fails(inst, "monitor-waitup", {"up": 1}, 1) == (errno.EPROTO, text)
        reload = {"path": "/nonexist", "xml": False, "force": False}
        text = "resource.reload is only available on rank 0"
        assert await fails(inst, "reload", reload, 1) == (errno.ENOSYS, text)
        text = "resource.expiration-update is only available on rank 0"
        assert await fails(inst, "expiration-update", {"expiration": 1}, 1) == (
            errno.ENOSYS,
            text,
        )
        assert await fails(inst, "monitor-waitup", {"up": 9}) == (
            errno.EPROTO,
            "up value is out of range",
        )


async def test_draining(short_path: Path) -> None:
    async with job_instance(2, short_path, without=ONLY) as inst:
        drain = {"targets": "1", "reason": "broken"}
        assert await inst.rpc("resource.drain", drain) is None
        drained = (await inst.rpc("resource.status"))["drain"]
        assert drained["1"]["reason"] == "broken"
        down = (await inst.rpc("resource.sched-status"))["down"]["execution"]
        assert [entry["rank"] for entry in down["R_lite"]] == ["1"]
        log = [json.loads(line) for line in (await inst.value("resource.eventlog")).splitlines()]
        assert log[-1]["context"] == {
            "idset": "1",
            "nodelist": "host1",
            "reason": "broken",
            "overwrite": 0,
        }
        for method, payload, error in (
            ("drain", drain, (errno.EEXIST, "rank 1 already drained")),
            ("drain", {"targets": "9"}, (errno.EINVAL, "idset is out of range")),
            ("drain", {"targets": ""}, (errno.EINVAL, "idset is empty")),
            (
                "drain",
                {"targets": "nosuch"},
                (errno.EINVAL, "invalid targets: invalid hosts: nosuch"),
            ),
            ("drain", {"targets": "0", "mode": "x"}, (errno.EINVAL, "Invalid mode specified")),
            ("undrain", {"targets": "0"}, (errno.EEXIST, "rank 0 not drained")),
            (
                "undrain",
                {"targets": "0", "mode": "x"},
                (errno.EINVAL, "invalid undrain mode 'x' specified"),
            ),
            ("drain", {}, (errno.EPROTO, os.strerror(errno.EPROTO))),
        ):
            assert await fails(inst, method, payload) == error
        await inst.rpc("resource.undrain", {"targets": "host1"})
        assert (await inst.rpc("resource.status"))["drain"] == {}


@pytest.mark.slow
async def test_a_drained_rank_stays_so(short_path: Path) -> None:
    async with job_instance(2, short_path, without=ONLY) as inst:
        await inst.rpc("resource.drain", {"targets": "0-1", "reason": "broken"})
        await inst.rpc("resource.undrain", {"targets": "0"})
        await inst.remove("resource")
        await inst.load("resource")
        before = (await inst.rpc("resource.status"))["drain"]
        assert before.keys() == {"1"}
    async with job_instance(2, short_path, without=ONLY) as inst:
        assert (await inst.rpc("resource.status"))["drain"] == before
        checkpoint = orjson.loads(await inst.value("checkpoint.resource"))
        assert checkpoint["drain_state"]["1"]["nodelist"] == "host1"


async def test_acquiring(short_path: Path) -> None:
    async with job_instance(2, short_path, without=ONLY) as inst:
        acquired = inst.flux.stream("resource.acquire", timeout=20)
        first = (await anext(acquired)).json
        assert first["up"] == "0-1"
        assert first["resources"] == (await inst.rpc("resource.get"))["R"]
        with pytest.raises(OSError) as caught:
            await anext(inst.flux.stream("resource.acquire", timeout=20))
        assert error_of(caught.value)[0] == errno.EBUSY
        await inst.rpc("resource.drain", {"targets": "1", "reason": "x"})
        assert (await anext(acquired)).json == {"down": "1"}
        await inst.rpc("resource.undrain", {"targets": "1"})
        assert (await anext(acquired)).json == {"up": "1"}
        await inst.rpc("resource.expiration-update", {"expiration": 5000.0})
        assert (await anext(acquired)).json == {"expiration": 5000.0}
        r = orjson.loads(await inst.value("resource.R"))
        assert r["execution"]["expiration"] == 5000.0
        await inst.rpc("resource.monitor-force-down", {"ranks": "1"})
        assert (await anext(acquired)).json == {"down": "1", "shrink": "1"}
        inst.flux.notify("resource.acquire-cancel", {"matchtag": acquired.tag})
        assert [update async for update in acquired] == []
        again = inst.flux.stream("resource.acquire", timeout=20)
        assert (await anext(again)).json["up"] == "0"
        await inst.remove("resource")
        with pytest.raises(OSError) as caught:
            await anext(again)
        assert error_of(caught.value) == (errno.ECANCELED, "the resource module was unloaded")


async def test_other_resources_for_tests(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        r = (await inst.rpc("resource.get"))["R"]
        r = {**r, "execution": {**r["execution"], "nodelist": ["other"]}}
        path = short_path / "R"
        path.write_text(json.dumps(r))
        reload = {"path": str(path), "xml": False, "force": False}
        text = "resources are busy (unload scheduler?)"
        assert await fails(inst, "reload", reload) == (errno.EBUSY, text)
        await inst.remove("sched-simple")
        assert await inst.rpc("resource.reload", reload) is None
        assert await inst.rpc("resource.get") == {"R": r, "method": "reload"}
        missing = {**reload, "path": "/nonexist"}
        text = "/nonexist: No such file or directory"
        assert await fails(inst, "reload", missing) == (errno.ENOENT, text)
        r["execution"]["R_lite"][0]["rank"] = "5"
        path.write_text(json.dumps(r))
        assert (await fails(inst, "reload", reload))[0] == errno.EINVAL
        await inst.rpc("resource.reload", {**reload, "force": True})


async def test_configured_resources_are_verified(short_path: Path) -> None:
    conf = ['resource.config=[{hosts="host0",cores="0-4095"}]']
    async with job_instance(1, short_path, without=ONLY, conf_updates=conf) as inst:
        assert (await inst.rpc("resource.get"))["method"] == "configuration"
        drained = (await inst.rpc("resource.status"))["drain"]
        assert drained["0"]["reason"].startswith("rank 0 (host0) missing resources: core[")


async def test_excluded_ranks(short_path: Path) -> None:
    conf = [
        'resource.config=[{hosts="host0,host1",cores="0"}]',
        'resource.exclude="host0"',
        "resource.noverify=true",
    ]
    async with job_instance(2, short_path, without=ONLY, conf_updates=conf) as inst:
        assert (await inst.rpc("resource.status"))["exclude"] == "0"
        acquired = inst.flux.stream("resource.acquire", timeout=20)
        first = (await anext(acquired)).json
        assert first["up"] == "1"
        assert [entry["rank"] for entry in first["resources"]["execution"]["R_lite"]] == ["1"]
        everything = (await inst.rpc("resource.sched-status"))["all"]["execution"]
        assert everything["nodelist"] == ["host1"]
        assert await fails(inst, "drain", {"targets": "0"}) == (errno.EINVAL, "rank 0 excluded")
        inst.flux.notify("resource.acquire-cancel", {"matchtag": acquired.tag})


async def test_the_journal(short_path: Path) -> None:
    async with job_instance(1, short_path, without=ONLY) as inst:
        await inst.rpc("resource.drain", {"targets": "0"})
        journal = inst.flux.stream("resource.journal", timeout=20)
        backlog: list[dict[str, Any]] = []
        async for entry in journal:
            if not entry.json["events"]:
                break
            backlog += entry.json["events"]
        names = [event["name"] for event in backlog]
        assert sorted(names) == ["drain", "online", "resource-define", "restart"]
        assert backlog[0]["context"] == {"ranks": "0", "online": "", "nodelist": "host0"}
        await inst.rpc("resource.undrain", {"targets": "0", "reason": "fixed"})
        (event,) = (await anext(journal)).json["events"]
        assert event["name"] == "undrain"
        assert event["context"]["reason"] == "fixed"
        inst.flux.notify("resource.journal-cancel", {"matchtag": journal.tag})
        assert [entry async for entry in journal] == []
        text = "journal requires streaming RPC flag"
        assert await fails(inst, "journal") == (errno.EPROTO, text)


async def test_a_long_journal_is_cut(short_path: Path) -> None:
    conf = ["resource.journal-max=3"]
    async with job_instance(1, short_path, without=ONLY, conf_updates=conf) as inst:
        for _ in range(3):
            await inst.rpc("resource.drain", {"targets": "0"})
            await inst.rpc("resource.undrain", {"targets": "0"})
        entry = await anext(inst.flux.stream("resource.journal", timeout=20))
        names = [event["name"] for event in entry.json["events"]]
        assert names == ["truncate", "drain", "undrain"]


async def test_what_jobs_have(short_path: Path) -> None:
    async with job_instance(1, short_path, cores=2) as inst:
        empty = (await inst.rpc("resource.sched-status"))["allocated"]["execution"]
        assert empty["R_lite"] == []
        jobid = await inst.submit(exec={"test": {"run_duration": -1}})
        await inst.wait_for(jobid, "start")
        status = await inst.rpc("resource.sched-status")
        assert status["allocated"]["execution"]["R_lite"] == [
            {"rank": "0", "children": {"core": "0"}}
        ]
        await inst.rpc("job-manager.kill", {"id": jobid, "signum": 9})
        await inst.drain()
        status = await inst.rpc("resource.sched-status")
        assert status["allocated"]["execution"]["R_lite"] == []


async def test_guests_may_look_but_not_touch(short_path: Path) -> None:
    async with job_instance(1, short_path, without=ONLY) as inst:
        answer = await inst.rpc_as(4242, "resource.status", {})
        assert answer.errnum == 0
        for method in ("drain", "undrain", "reload", "acquire", "journal", "topo-reduce"):
            answer = await inst.rpc_as(4242, f"resource.{method}", {"targets": "0"})
            assert answer.errnum == errno.EPERM


async def test_loading_it_wrongly(short_path: Path) -> None:
    async with job_instance(1, short_path, without=["resource", *ONLY]) as inst:
        with pytest.raises(OSError) as caught:
            await inst.load("resource", "nonsense")
        assert error_of(caught.value) == (errno.EINVAL, "unknown option: nonsense")
