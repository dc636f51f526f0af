import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from fluxcore.job import sign
from fluxcore.job.jobid import GENERATOR_BITS, SEQUENCE_BITS, kvs_key
from fluxcore.modules.job_ingest.options import parse_options
from support.job_instance import JobInstance, error_of, job_instance
from support.job_world import jobspec

UID = os.getuid()


def signed(payload: bytes, userid: int = UID) -> str:
    return sign.wrap(payload, userid)


async def refused(inst: JobInstance, payload: dict[str, Any]) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:
        await inst.rpc("job-ingest.submit", payload)
    return error_of(caught.value)


async def test_a_job_is_in_the_kvs_and_runs(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        spec = jobspec(environment={"PATH": "/bin"}, cwd="/tmp")
        jobid = await inst.submit_spec(spec)
        await inst.drain()
        j = (await inst.value(kvs_key(jobid, "J"))).decode()
        assert orjson.loads(sign.unwrap(j)[0]) == spec
        stored = orjson.loads(await inst.value(kvs_key(jobid, "jobspec")))
        assert stored == jobspec(cwd="/tmp")
        assert (await inst.names(jobid))[-1] == "clean"
        assert (await inst.rpc("job-ingest.stats-get"))["pipeline"] == {"submitted": 1}


@pytest.mark.slow
async def test_ids_tell_who_made_them_and_only_grow(short_path: Path) -> None:
    async with job_instance(4, short_path) as inst:
        last = 0
        for rank in (0, 3, 1, 2, 0):
            jobid = await inst.submit(rank)
            assert jobid >> SEQUENCE_BITS & ((1 << GENERATOR_BITS) - 1) == rank
            assert jobid >> 24 >= last >> 24
            last = jobid
        await inst.remove("job-ingest")
        await inst.load("job-ingest")
        assert await inst.submit() > last
        await inst.drain()


async def test_what_comes_together_is_one_commit(short_path: Path) -> None:
    async with job_instance(1, short_path, without=["sched-simple"]) as inst:
        before = (await inst.rpc("kvs.getroot", {"namespace": "primary"}))["rootseq"]
        jobids = await asyncio.gather(*[inst.submit() for _ in range(50)])
        assert len(set(jobids)) == 50
        after = (await inst.rpc("kvs.getroot", {"namespace": "primary"}))["rootseq"]
        assert after - before <= 6


async def test_bad_submissions(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        good = signed(orjson.dumps(jobspec()))
        deps = jobspec(dependencies=[{"scheme": "afterok", "value": "123"}])
        constraint = jobspec(constraints={"foo": ["x"]})
        hosts = [{"hostlist": ["host0,a"]}, {"not": [{"hostlist": ["b1,host[0-2]"]}]}]
        elsewhere = jobspec(constraints={"and": [hosts[0]]}), jobspec(constraints={"or": hosts[1:]})
        urgent, plain = {"urgency": 99, "flags": 0}, {"urgency": 16, "flags": 0}
        for payload, error in (
            ({"J": good, **urgent}, (errno.EINVAL, "urgency range is [0:31]")),
            ({"J": good, "urgency": 1, "flags": 64}, (errno.EPROTO, "invalid job flags")),
            ({"J": "zz", **plain}, (errno.EINVAL, "could not unwrap jobspec: Invalid argument")),
            ({"J": signed(b"{}"), **plain}, (errno.EINVAL, "Missing key (resources)")),
            (
                {"J": signed(b"{}", UID + 1), **plain},
                (errno.EPERM, f"signer={UID + 1} != requestor={UID}"),
            ),
            (
                {"J": signed(orjson.dumps({**jobspec(), "version": 99})), **plain},
                (errno.EINVAL, "version must be 1"),
            ),
            (
                {"J": signed(orjson.dumps(jobspec(queue="nosuch"))), **plain},
                (errno.EINVAL, "'nosuch' is not a valid queue"),
            ),
            (
                {"J": signed(orjson.dumps(deps)), **plain},
                (errno.EINVAL, "dependency: afterok: id 123: job not found"),
            ),
            (
                {"J": signed(orjson.dumps(constraint)), **plain},
                (errno.EINVAL, "unknown constraint operator 'foo'"),
            ),
            (
                {"J": signed(orjson.dumps(elsewhere[0])), **plain},
                (errno.EPERM, "host constraint contains invalid hosts: host 'a' not found"),
            ),
            (
                {"J": signed(orjson.dumps(elsewhere[1])), **plain},
                (
                    errno.EPERM,
                    "host constraint contains invalid hosts: hosts 'b1,host[1-2]' not found",
                ),
            ),
            ({"urgency": 1}, (errno.EPROTO, os.strerror(errno.EPROTO))),
        ):
            assert await refused(inst, payload) == error
        for spec, near in (
            (b"notjson", "'[' or '{' expected near 'notjson'"),
            (b'\n\n "x y" z', "'[' or '{' expected near '\"x y\"'"),
            (b"-5.5e3", "'[' or '{' expected near '-5.5e3'"),
            (b"a1", "'[' or '{' expected near 'a'"),
            ("é".encode(), "'[' or '{' expected near 'é'"),
            (b" ", "'[' or '{' expected"),
            (b"[1]", "'{' expected"),
            (b'{"a"', "unexpected end of data: line 1 column 5 (char 4)"),
        ):
            text = f"jobspec: invalid JSON: {near}"
            assert await refused(inst, {"J": signed(spec), **plain}) == (errno.EINVAL, text)
        assert (await inst.rpc("job-manager.stats-get"))["active_jobs"] == 0


async def test_a_refused_job_leaves_nothing_in_the_kvs(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        spec = jobspec(dependencies=[{"scheme": "nosuch", "value": "1"}])
        with pytest.raises(OSError):
            await inst.submit_spec(spec)
        await inst.submit()  # its commit comes after the one that removes the other
        assert len(await inst.job_dirs()) == 1
        await inst.drain()


async def test_guests(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        replies = []
        for urgency, flags in ((16, 0), (17, 0), (16, 4), (16, 8)):
            j = signed(orjson.dumps(jobspec()), 4242)
            payload = {"J": j, "urgency": urgency, "flags": flags}
            answer = await inst.rpc_as(4242, "job-ingest.submit", payload)
            replies.append((answer.errnum, answer.text))
        assert replies == [
            (errno.EPERM, "only instance owner can use sign-type=none"),
            (errno.EINVAL, "only the instance owner can submit with urgency >16"),
            (errno.EINVAL, "only the instance owner can submit with FLUX_JOB_WAITABLE"),
            (errno.EPERM, "only the instance owner can submit with FLUX_JOB_NOVALIDATE"),
        ]


async def test_the_owner_can_have_a_jobspec_passed_by(short_path: Path) -> None:
    async with job_instance(1, short_path) as inst:
        jobid = await inst.submit_spec({"nonsense": True}, flags=8)
        exception = await inst.wait_for(jobid, "exception")
        assert exception["context"]["type"] == "alloc"
        assert exception["context"]["note"] == "cannot parse jobspec: Missing key (resources)"
        assert "sched-simple" in {m["name"] for m in (await inst.rpc("module.list"))["mods"]}


def test_options() -> None:
    assert parse_options([], {}).validate
    options = parse_options(["disable-validator", "batch-count=3", "allow-root-jobs"], {})
    assert (options.validate, options.batch_count, options.allow_root) == (False, 3, True)
    assert parse_options([], {"ingest": {"batch-count": 5}}).batch_count == 5
    assert not parse_options([], {"ingest": {"validator": {"disable": True}}}).validate
    for args, text in (
        (["foo"], "Invalid option: foo"),
        (["batch-count=x"], "Invalid batch-count: batch-count=x"),
        (["max-fluid-generator-id=99999"], "Invalid max-fluid-generator-id: '99999'"),
    ):
        with pytest.raises(OSError) as caught:
            parse_options(args, {})
        assert error_of(caught.value) == (errno.EINVAL, text)
