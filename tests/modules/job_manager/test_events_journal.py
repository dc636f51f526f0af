"""The journal of all events, as it is streamed by an instance of one broker."""

import errno
from pathlib import Path
from typing import Any

import pytest

from support.job_instance import error_of, job_instance
from support.job_manager import FOREVER, fails


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
