"""What guests may not ask of the job manager."""

import errno
from pathlib import Path

from support.job_instance import job_instance


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
