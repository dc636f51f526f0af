"""Jobs listed and looked into, in an instance of one broker."""

import errno
from pathlib import Path

from fluxcore.job import states
from support.job_instance import job_instance
from support.job_manager import FOREVER, UID, fails


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
