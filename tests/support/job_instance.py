"""An instance with the modules that jobs need and an execution service that runs nothing.

``async with job_instance(4, path) as inst:`` gives brokers on the test's loop whose resources are
up. ``without`` names modules that are not loaded; ``cores`` gives each rank so many, whatever the
machine has.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.job import sign
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.resource.idset import IdSet
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from support.instance import LocalInstance, local
from support.job_world import jobspec

FAKE_EXEC = str(Path(__file__).parent / "fake_exec.py")

_LEADER_ONLY = ("content-sqlite", "job-manager", "fake-exec", "sched-simple")
_MODULES = (
    *("heartbeat", "content", "content-sqlite", "kvs", "kvs-watch"),
    *("resource", "job-manager", "job-ingest", "fake-exec", "sched-simple"),
)


@dataclass
class JobInstance:
    """The instance, and what tests do in it."""

    local: LocalInstance
    size: int
    flux: Flux

    async def load(self, name: str, *args: str, rank: int = 0) -> None:
        path = FAKE_EXEC if name == "fake-exec" else name
        await self.flux.rpc("module.load", {"path": path, "args": list(args)}, nodeid=rank)

    async def remove(self, name: str, rank: int = 0) -> None:
        await self.flux.rpc("module.remove", {"name": name}, nodeid=rank)

    async def rpc(self, topic: str, payload: Mapping[str, Any] | None = None, rank: int = 0) -> Any:
        """The answer's payload, None if it has none."""
        answer = await self.flux.rpc(topic, payload, nodeid=rank, timeout=20)
        return answer.json if answer.has_payload else None

    async def submit(
        self, rank: int = 0, *, urgency: int = 16, flags: int = 0, **system: Any
    ) -> int:
        spec = jobspec(**system)
        return await self.submit_spec(spec, rank, urgency=urgency, flags=flags)

    async def submit_spec(
        self, spec: object, rank: int = 0, *, urgency: int = 16, flags: int = 0
    ) -> int:
        signed = sign.wrap(orjson.dumps(spec), os.getuid())
        payload = {"J": signed, "urgency": urgency, "flags": flags}
        answer = await self.rpc("job-ingest.submit", payload, rank)
        return int(answer["id"])

    async def events(self, jobid: int) -> list[dict[str, Any]]:
        """The eventlog as the job manager has it."""
        answer = await self.rpc("job-manager.getattr", {"id": jobid, "attrs": ["eventlog"]})
        return list(answer["eventlog"])

    async def names(self, jobid: int) -> list[str]:
        return [event["name"] for event in await self.events(jobid)]

    async def wait_for(self, jobid: int, name: str) -> dict[str, Any]:
        """The event ``name`` of a job, as soon as it has come."""
        journal = self.flux.stream(
            "job-manager.events-journal",
            {"full": True, "allow": {name: 1}},
            timeout=20,
            cancel="job-manager.events-journal-cancel",
        )
        async with journal:
            async for entry in journal:
                if entry.json["id"] == jobid:
                    for event in entry.json["events"]:
                        if event["name"] == name:
                            return dict(event)
        raise AssertionError(f"the journal has ended before event {name}")

    async def wait_for_annotation(self, jobid: int) -> dict[str, Any]:
        """The annotations of a job, as soon as it has some."""
        while True:
            listed = (await self.rpc("job-manager.list", {"max_entries": 0}))["jobs"]
            for job in listed:
                if job["id"] == jobid and "annotations" in job:
                    return dict(job["annotations"])

    async def drain(self) -> None:
        """Wait until no job is active."""
        await self.rpc("job-manager.drain")

    async def value(self, key: str) -> bytes:
        """What the KVS has at ``key``."""
        payload = {"key": key, "namespace": "primary", "flags": 0}
        return val_bytes((await self.rpc("kvs.lookup", payload))["val"])

    async def job_dirs(self, key: str = "job", levels: int = 4) -> list[str]:
        """The directories of jobs in the KVS."""
        payload = {"key": key, "namespace": "primary", "flags": 1}
        entries = (await self.rpc("kvs.lookup", payload))["val"]["data"]
        below = [f"{key}.{name}" for name in entries]
        if levels == 1:
            return below
        return [found for each in below for found in await self.job_dirs(each, levels - 1)]

    async def rpc_as(self, userid: int, topic: str, payload: Mapping[str, Any]) -> Message:
        """The answer to a request of a guest, whatever it is."""
        answer: asyncio.Future[Message] = self.flux.loop.create_future()
        self.flux.core.request(_Sink(answer), topic, payload, creds=(userid, ROLE_USER))
        return await asyncio.wait_for(answer, 20)

    async def errors(self) -> list[str]:
        """What rank 0 has logged as errors."""
        log = self.flux.stream("log.dmesg", {"follow": False, "nobacklog": False})
        lines = [line.text or "" async for line in log]
        return [line.rpartition(" - - ")[2] for line in lines if line.startswith(("<16>", "<24>"))]


class _Sink:
    def __init__(self, answer: "asyncio.Future[Message]") -> None:
        self._answer = answer

    def feed(self, msg: Message) -> None:
        self._answer.set_result(msg)


@asynccontextmanager
async def job_instance(
    size: int,
    path: Path,
    *,
    cores: int = 0,
    without: Collection[str] = (),
    args: Mapping[str, Sequence[str]] | None = None,
    conf_updates: Sequence[str] = (),
    attrs: Mapping[str, str] | None = None,
) -> AsyncIterator[JobInstance]:
    """Start one; every module that is loaded is removed at the end."""
    updates = list(conf_updates)
    if cores:
        hosts = ",".join([f"host{rank}" for rank in range(size)])
        updates += [
            f'resource.config=[{{hosts="{hosts}",cores="{IdSet.span(0, cores - 1)}"}}]',
            "resource.noverify=true",
        ]
    setattrs = {"broker.rc1_path": "", "broker.rc3_path": "", **(attrs or {})}
    async with (
        local(size, path, setattrs=setattrs, conf_updates=updates) as instance,
        await instance.connect(0) as flux,
    ):
        jobs = JobInstance(instance, size, flux)
        wanted = [name for name in _MODULES if name not in without]
        for rank in range(size):
            for name in wanted:
                if rank == 0 or name not in _LEADER_ONLY:
                    await jobs.load(name, *(args or {}).get(name, ()), rank=rank)
        if "resource" in wanted:
            await jobs.rpc("resource.monitor-waitup", {"up": size})
        yield jobs
        await _remove_all(jobs)


async def _remove_all(jobs: JobInstance) -> None:
    for rank in reversed(range(jobs.size)):
        answer = await jobs.rpc("module.list", rank=rank)
        loaded = {module["name"] for module in answer["mods"]}
        for name in reversed(_MODULES):
            if name in loaded:
                await jobs.remove(name, rank)


def error_of(exc: BaseException) -> tuple[int | None, str | None]:
    """The errno and text of an OSError."""
    assert isinstance(exc, OSError)
    return exc.errno, exc.strerror
