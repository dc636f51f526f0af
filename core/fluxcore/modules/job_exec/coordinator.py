"""The execution service on rank 0: it starts the jobs that the job manager asks for (D20)."""

import errno
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.service import DEFERRED, Reply, Service, method, on_event
from fluxcore.job import sign
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.job.jobspec import Jobspec
from fluxcore.kvs.blobref import hash_type
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_exec import mock
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.modules.job_exec.namespace import Flusher, PrimaryWriter
from fluxcore.modules.job_exec.options import ExecOptions
from fluxcore.modules.job_exec.port import Start
from fluxcore.modules.job_exec.reattach import reattach
from fluxcore.modules.job_exec.running import RunningJob, Surroundings
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.errors import ShellError
from fluxcore.shell.options import ShellOptions
from fluxcore.shell.options import parse as parse_options
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str, opt_bool, opt_int

#: The debug bit that fails job-exec.expiration, for tests.
_DEBUG_FAIL_EXPIRATION: Final = 1

_NO_IMP: Final = "failed to initialize implementation: " + os.strerror(errno.EINVAL)


class Coordinator(Service):
    """Serves job-exec.start and what else there is to say about running jobs."""

    def __init__(self, flux: Flux, policy: ExecOptions, debug: Callable[[], int]) -> None:
        self.policy = policy
        self.jobs: dict[int, RunningJob] = {}
        self._flux = flux
        self._debug = debug
        self._around = Surroundings(
            flux,
            PrimaryWriter(flux),
            Flusher(flux.loop),
            hash_type(flux.cached_attr("content.hash")),
            self._over,
        )

    # -- starting --------------------------------------------------------------------------

    @method("job-exec.start")
    def start(self, req: Message) -> Reply:
        """``{id, userid, jobspec, reattach, R}`` -> ``{id, type, data}`` many times."""
        payload = req.json
        jobid = need_int(payload, "id")
        if jobid in self.jobs:
            raise rpc_error(errno.EEXIST)
        try:
            rset = ResourceSet.from_json(need_dict(payload, "R"))
        except ValueError as exc:
            raise rpc_error(errno.EPROTO, f"reading R: {exc}") from None
        if not rset:
            raise rpc_error(errno.EPROTO, "reading R: it has no resources")
        start = Start(
            jobid,
            need_int(payload, "userid"),
            need_dict(payload, "jobspec"),
            rset,
            opt_bool(payload, "reattach"),
        )
        self._begin(RunningJob(self._around, req, start, payload["R"]))
        return DEFERRED

    def _begin(self, running: RunningJob) -> None:
        start = running.start
        options, refusal, test = self._look_at(start)
        job = running.job = ExecJob(start, options, self.policy, running, test)
        self.jobs[start.id] = running
        self._around.flusher.active = len(self.jobs)
        if start.reattach:
            self._flux.task(reattach(self._flux, running), f"reattach {f58(start.id)}")
            return
        if refusal is not None:
            job.fail(refusal, time.time())
            return
        running.create()
        if test is None:
            self._get_environment(running)

    def _look_at(self, start: Start) -> tuple[ShellOptions, str | None, mock.MockTest | None]:
        """The options of a job, why it cannot run, and how it is mocked."""
        system: Mapping[str, Any] = start.jobspec["attributes"]["system"]
        guest = start.userid != os.getuid()
        try:
            test = mock.parse(start.jobspec)
        except ValueError:
            return ShellOptions(), "failed to initialize testconf: Invalid argument", None
        if test is not None:
            return ShellOptions(), self._refuse_mock(test, guest), test
        if guest:
            self._flux.log(LOG_ERR, "unable run multiuser job with no IMP configured!")
            return ShellOptions(), _NO_IMP, None
        try:
            return parse_options(system.get("shell", {}).get("options", {})), None, None
        except ShellError:
            return ShellOptions(), None, None  # its shells say what is wrong

    def _refuse_mock(self, test: mock.MockTest, guest: bool) -> str | None:
        if guest and not self.policy.testexec_guests:
            return "guests may not use test exec implementation"
        if test.exception == "init":
            return "mock initialization exception generated"
        return None

    def _get_environment(self, running: RunningJob) -> None:
        """Read the jobspec as it was signed: neither the job manager's nor the KVS's has it."""
        system = running.start.jobspec["attributes"]["system"]
        if "environment" in system:
            running.environment_known(system["environment"])
            return
        key = kvs_key(running.start.id, "J")
        payload = {"key": key, "namespace": PRIMARY, "flags": 0}

        def known(answer: Message) -> None:
            try:
                environment = _environment(answer)
            except OSError as exc:
                text = os.strerror(exc.errno or errno.EINVAL)
                running.act(lambda job, now: job.fail(f"error fetching jobspec: {text}", now))
            else:
                running.environment_known(environment)

        self._flux.rpc("kvs.lookup", payload).then(known)

    def _over(self, jobid: int) -> None:
        """A job's resources are released."""
        del self.jobs[jobid]
        self._around.flusher.active = len(self.jobs)

    # -- what is said about running jobs ---------------------------------------------------

    @on_event("job-exception")
    def exception(self, event: Message) -> None:
        """``{id, type, severity, wait_status?}``: an exception was raised on some job."""
        payload = event.json
        running = self.jobs.get(need_int(payload, "id"))
        if running is None or need_int(payload, "severity") != 0:
            return
        kind, status = need_str(payload, "type"), opt_int(payload, "wait_status", -1)
        self._flux.log(LOG_DEBUG, f"exec aborted: id={f58(running.start.id)}")
        running.act(lambda job, now: job.exception(kind, status, now))

    @method("job-exec.critical-ranks", role=c.ROLE_USER)
    def critical_ranks(self, req: Message) -> Reply:
        """``{id, ranks}``: without which of its shells the job cannot go on."""
        running = self._owned(req, need_int(req.json, "id"))
        try:
            running.job.critical = IdSet.decode(need_str(req.json, "ranks"))
        except ValueError:
            raise rpc_error(errno.EINVAL) from None
        return None

    @method("job-exec.shell-barrier", role=c.ROLE_USER)
    def shell_barrier(self, req: Message) -> Reply:
        """``{id, rank}``: for shells that are programs; ours need none."""
        jobid = need_int(req.json, "id")
        if jobid not in self.jobs:
            raise rpc_error(errno.ENOENT, "job not found")
        self._owned(req, jobid)
        raise rpc_error(errno.ENOSYS, "bulk-exec does not support shell barrier")

    @method("job-exec.expiration")
    def expiration(self, req: Message) -> Reply:
        """``{id, expiration}``: a job expires at another time."""
        if self._debug() & _DEBUG_FAIL_EXPIRATION:
            raise rpc_error(errno.EINVAL)
        running = self.jobs.get(need_int(req.json, "id"))
        expiration = req.json.get("expiration")
        if not isinstance(expiration, int | float):
            raise PayloadError
        if running is None:
            raise rpc_error(errno.ENOENT)
        running.act(lambda job, now: job.set_expiration(now, float(expiration)))
        return None

    @method("job-exec.override", role=c.ROLE_USER)
    def override(self, req: Message) -> Reply:
        """``{event, jobid, status?}``: start or finish a mocked job."""
        what, status = need_str(req.json, "event"), opt_int(req.json, "status", 0)
        running = self.jobs.get(need_int(req.json, "jobid"))
        if running is None or running.job.mock is None:
            raise rpc_error(errno.ENOENT, "Job not found")
        if req.userid != running.start.userid:
            raise rpc_error(errno.EPERM, "Permission denied")
        if not running.job.mock.override:
            raise rpc_error(errno.EINVAL, "Job not in exec override mode")
        runs = running.job.phase == "running"
        if what == "start":
            if runs:
                raise rpc_error(errno.EINVAL, "Job already running")
            running.act(lambda job, now: job.mock_started(now))
        elif what == "finish":
            if not runs:
                raise rpc_error(errno.EINVAL, "Job not running")
            running.act(lambda job, now: job.mock_finished(now, status))
        else:
            raise rpc_error(errno.EINVAL, "Invalid event")
        return None

    def _owned(self, req: Message, jobid: int) -> RunningJob:
        running = self.jobs.get(jobid)
        if running is None:
            raise rpc_error(errno.ENOENT)
        if not req.rolemask & c.ROLE_OWNER and req.userid != running.start.userid:
            raise rpc_error(errno.EPERM)
        return running

    # -- the end ---------------------------------------------------------------------------

    async def stop(self) -> None:
        """End the jobs that have tasks; mocked ones go on when they are found again."""
        kill = self.policy.kill_signal
        for running in list(self.jobs.values()):
            if running.job.mock is None:
                running.act(lambda job, now: job.fail("job-exec is unloaded", now, kill))
            elif running.job.phase == "running":
                await running.keep()
        for running in list(self.jobs.values()):
            if running.job.mock is None:
                await running.released.wait()
        self._around.flusher.close()


def _environment(answer: Message) -> dict[str, str | None]:
    if answer.errnum:
        raise rpc_error(answer.errnum)
    signed, _userid = sign.unwrap(val_bytes(answer.json["val"]).decode(errors="replace"))
    jobspec: Jobspec = orjson.loads(signed)
    environment: dict[str, str | None] = jobspec["attributes"]["system"].get("environment", {})
    return environment
