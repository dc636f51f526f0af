"""An execution service that runs nothing: each job ends as its jobspec asks (RFC 32).

``attributes.system.exec.test`` of the jobspec says how: ``run_duration`` is seconds to "run" (none:
at once; negative: until it is killed), ``wait_status`` what to end with. A fatal exception, or the
event shell-ID.kill, ends a job early.
"""

import asyncio
import signal
from typing import Any

from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.wire.message import Message


class FakeExec(Module):
    """Serves fake-exec.start."""

    name = "fake-exec"
    placement = "loop"

    async def start(self) -> None:
        """Offer to run jobs."""
        self._jobs: dict[int, Message] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self.starts: list[dict[str, Any]] = []
        await self.flux.rpc("job-manager.exec-hello", {"service": "fake-exec"})

    async def stop(self) -> None:
        """Forget all jobs."""
        for timer in self._timers.values():
            timer.cancel()

    @method("fake-exec.start")
    def run(self, req: Message) -> Reply:
        """Start a job and end it when its time has come."""
        job = req.json
        self.starts.append(job)
        self._jobs[job["id"]] = req
        if not job["reattach"]:
            self._say(job["id"], "start", {})
        test = job["jobspec"]["attributes"]["system"].get("exec", {}).get("test", {})
        duration = test.get("run_duration", 0)
        status = test.get("wait_status", 0)
        if duration > 0:
            self._timers[job["id"]] = self.flux.loop.call_later(
                duration, self._finish, job["id"], status
            )
        elif duration == 0:
            self._finish(job["id"], status)
        return DEFERRED

    @method("fake-exec.expiration")
    def expiration(self, _req: Message) -> Reply:
        """A job may run longer: that is as good as any."""
        return None

    @method("fake-exec.say")
    def say(self, req: Message) -> Reply:
        """``{id, type, data}``: say that of a job, whatever it is."""
        self._say(req.json["id"], req.json["type"], req.json["data"])
        return None

    def _say(self, jobid: int, kind: str, data: dict[str, Any]) -> None:
        req = self._jobs.get(jobid)
        if req is not None:
            self.flux.respond(req, {"id": jobid, "type": kind, "data": data})

    def _finish(self, jobid: int, status: int) -> None:
        if jobid not in self._jobs:
            return
        timer = self._timers.pop(jobid, None)
        if timer is not None:
            timer.cancel()
        self._say(jobid, "finish", {"status": status})
        self._say(jobid, "release", {"ranks": "all", "final": True})
        del self._jobs[jobid]

    @on_event("job-exception")
    def exception(self, event: Message) -> None:
        """A fatal exception ends a job."""
        if event.json["severity"] == 0:
            self._finish(event.json["id"], int(signal.SIGTERM))

    @on_event("shell-")
    def killed(self, event: Message) -> None:
        """So does a signal."""
        jobid = int((event.topic or "").removeprefix("shell-").partition(".")[0])
        self._finish(jobid, int(event.json["signum"]))
