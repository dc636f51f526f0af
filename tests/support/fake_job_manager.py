"""A job manager that only starts jobs: for tests of the execution service (RFC 32)."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.service import Method, Reply
from fluxcore.job import sign
from fluxcore.job.jobid import kvs_key
from fluxcore.job.output import decode_data
from fluxcore.kvs import ops
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.wire.message import Message, request
from support.jobspecs import make_jobspec, make_r
from support.wired import OWNER, Wired

MODULES = ("content", "kvs", "kvs-watch")

#: Flags of kvs-watch.lookup: watch, wait for the key, only what is appended.
_FOLLOW = 4 | 8 | 256


class Job:
    """A job that has been started, and what the execution service has said of it."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.released = asyncio.Event()
        self._changed = asyncio.Event()

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        self.said.append((kind, data))
        self._changed.set()
        if kind == "release":
            self.released.set()

    async def until(self, kind: str) -> dict[str, Any]:
        """What is said first of kind ``kind``."""
        while True:
            for said, data in self.said:
                if said == kind:
                    return data
            self._changed.clear()
            await self._changed.wait()

    async def over(self) -> int | None:
        """Wait for the release; the status of the finish answer, None without one."""
        await self.released.wait()
        return next((data["status"] for kind, data in self.said if kind == "finish"), None)

    @property
    def exceptions(self) -> list[tuple[str, int, str]]:
        return [
            (data["type"], data["severity"], data["note"])
            for kind, data in self.said
            if kind == "exception"
        ]


class FakeJobManager:
    """Lives in a rank's own handle beside the modules of a :class:`Wired`."""

    def __init__(self, wired: Wired) -> None:
        self.flux: Flux = wired.flux()
        self.service = ""
        self.jobs: dict[int, Job] = {}
        self.drained: list[dict[str, Any]] = []
        self.wired = wired
        self._next = 0x10000
        for topic, function in (
            ("job-manager.exec-hello", self._hello),
            ("resource.drain", self._drain),
        ):
            self.flux.core.add_method(topic, Method(function))
            wired.brokers[0].router.add_service(topic.partition(".")[0], wired.brokers[0].own)

    def _hello(self, req: Message) -> Reply:
        self.service = req.json["service"]
        self.flux.core.on_untagged(f"{self.service}.start", self._answered)
        return None

    def _drain(self, req: Message) -> Reply:
        self.drained.append(req.json)
        return None

    def _answered(self, answer: Message) -> None:
        assert not answer.errnum, answer.text
        payload = answer.json
        job = self.jobs[payload["id"]]
        job.hear(payload["type"], payload["data"])
        if payload["type"] == "exception":
            data = payload["data"]
            self.publish_exception(job, data["type"], data["severity"])

    def publish_exception(
        self, job: Job, kind: str = "cancel", severity: int = 0, **other: Any
    ) -> None:
        """Tell everybody that an exception was raised."""
        payload = {"id": job.id, "type": kind, "severity": severity}
        if "wait_status" in other:
            payload["wait_status"] = other["wait_status"]
        self.flux.publish("job-exception", payload)

    def kill(self, job: Job, signum: int) -> None:
        """Send a signal to the tasks of a job."""
        self.flux.publish(f"shell-{job.id}.kill", {"signum": int(signum)})

    async def start(
        self,
        jobspec: dict[str, Any],
        r: dict[str, Any] | None = None,
        *,
        userid: int = OWNER,
        reattach: bool = False,
    ) -> Job:
        """Start a job as the job manager does: its environment is in J alone."""
        job = self.new_job()
        signed = sign.wrap(orjson.dumps(jobspec), userid)
        put = ops.put(kvs_key(job.id, "J"), signed.encode())
        await self.commit(put)
        self.start_again(job, jobspec, r, userid=userid, reattach=reattach)
        return job

    def new_job(self) -> Job:
        """A job that nobody has heard of yet."""
        self._next += 1
        job = self.jobs[self._next] = Job(self._next)
        return job

    def start_again(
        self,
        job: Job,
        jobspec: dict[str, Any],
        r: dict[str, Any] | None = None,
        *,
        userid: int = OWNER,
        reattach: bool = False,
    ) -> None:
        """Send the start request of a job."""
        system = {**jobspec["attributes"]["system"]}
        system.pop("environment", None)
        payload = {
            "id": job.id,
            "userid": userid,
            "jobspec": {**jobspec, "attributes": {"system": system}},
            "reattach": reattach,
            "R": r or make_r([0], cores=2, starttime=time.time()),
        }
        self.flux.core.send(request(f"{self.service}.start", payload))

    async def run(self, *command: str, ranks: Sequence[int] = (0,), **how: Any) -> Job:
        """Run a command to its end."""
        if len(ranks) > 1:
            how.setdefault("nodes", len(ranks))
            how.setdefault("tasks", len(ranks))
        cores = -(-how.get("tasks", 1) // len(ranks))
        job = await self.start(make_jobspec(*command, **how), make_r(ranks, cores))
        await job.over()
        return job

    # -- a job that runs -------------------------------------------------------------------

    async def follow(self, job: Job, key: str) -> AsyncIterator[bytes]:
        """What is appended to a key of a job's namespace."""
        await job.until("start")
        payload = {"key": key, "namespace": f"job-{job.id}", "flags": _FOLLOW}
        stream = self.flux.stream("kvs-watch.lookup", payload, cancel="kvs-watch.cancel")
        async with stream:
            async for answer in stream:
                yield val_bytes(answer.json["val"])

    async def until_output(self, job: Job, text: str) -> None:
        """Wait until ``text`` is in the output eventlog of a job."""
        whole = b""
        async with aclosing(self.follow(job, "output")) as parts:
            async for part in parts:
                whole += part
                if text.encode() in whole:
                    return

    async def shell_service(self, job: Job) -> str:
        """The service of a job's first shell."""
        async with aclosing(self.follow(job, "exec.eventlog")) as parts:
            async for part in parts:
                for event in map(orjson.loads, part.splitlines()):
                    if event["name"] == "shell.init":
                        return str(event["context"]["service"])
        raise AssertionError("no shell")

    # -- what is in the KVS ----------------------------------------------------------------

    async def commit(self, *operations: ops.Op, namespace: str = "primary") -> None:
        payload = {"namespace": namespace, "flags": 0, "ops": list(operations)}
        await self.flux.rpc("kvs.commit", payload)

    async def events(self, job: Job, key: str) -> list[dict[str, Any]]:
        """The events of an eventlog of a job that is over."""
        payload = {"key": kvs_key(job.id, f"guest.{key}"), "namespace": "primary", "flags": 0}
        answer = await self.flux.rpc("kvs.lookup", payload)
        return [orjson.loads(line) for line in val_bytes(answer.json["val"]).splitlines()]

    async def names(self, job: Job) -> list[str]:
        """The names of the events of the exec eventlog."""
        return [event["name"] for event in await self.events(job, "exec.eventlog")]

    async def output(self, job: Job, stream: str = "stdout") -> dict[str, str]:
        """What the tasks of a job have written, by rank."""
        texts: dict[str, str] = {}
        for event in await self.events(job, "output"):
            context = event.get("context", {})
            if event["name"] == "data" and context["stream"] == stream:
                texts[context["rank"]] = texts.get(context["rank"], "") + context.get("data", "")
        return texts

    async def data(self, job: Job, stream: str = "stdout") -> dict[str, bytes]:
        """What the tasks of a job have written, by rank, as bytes."""
        pieces: dict[str, list[bytes]] = {}
        for event in await self.events(job, "output"):
            if event["name"] == "data" and event["context"]["stream"] == stream:
                said = decode_data(event["context"])
                pieces.setdefault(said.rank, []).append(said.data)
        return {rank: b"".join(parts) for rank, parts in pieces.items()}

    async def messages(self, job: Job) -> list[tuple[int, str]]:
        """The messages of the shell in a job's output."""
        return [
            (event["context"]["level"], event["context"]["message"])
            for event in await self.events(job, "output")
            if event["name"] == "log"
        ]
