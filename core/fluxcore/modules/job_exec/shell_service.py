"""The shells of jobs on this rank, for the execution service on rank 0 and for users (D20, D21).

The service on rank 0 asks by job-exec.shell, a stream of reports until its shell has finished, and
tells the shell things by job-exec.shell-tell. Users send input to the shell of a job's first rank,
at the service that the event shell.init names.
"""

import asyncio
import errno
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.requests import sender
from fluxcore.handle.service import DEFERRED, Method, Reply, Service, method, on_event
from fluxcore.job.jobid import f58
from fluxcore.job.jobspec import Jobspec
from fluxcore.job.output import decode_data
from fluxcore.resource.idset import IdSet
from fluxcore.shell.runner import Host, Reports, ShellRunner, service_name
from fluxcore.wire import constants as c
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_list, need_str

_EVENTS: Final = "shell-"
#: Seconds that killed tasks may take to go.
_STOP_TIMEOUT: Final = 10.0
#: Seconds for which input for a shell that has finished is taken, and leads nowhere. Who follows a
#: short job learns where to send input when all is over, and that must not fail.
_LINGER: Final = 5.0
#: What a data event of input may hold (RFC 24).
_INPUT_KEYS: Final = ("stream", "rank", "encoding", "data", "eof")


@dataclass(slots=True)
class _Input:
    """Where the input of a job is sent.

    ``open`` are the tasks whose stdin is not at its end; None if their input comes from a file.
    ``runner`` is None once the shell has finished.
    """

    service: str
    userid: int
    open: IdSet | None
    runner: ShellRunner | None


@dataclass(slots=True)
class _Running:
    """One shell here. ``input`` is only the leader's."""

    runner: ShellRunner
    req: Message
    userid: int
    input: _Input | None = None


class ShellService(Service):
    """Runs shells."""

    def __init__(self, flux: Flux, host: Host) -> None:
        self._flux = flux
        self._host = host
        self._shells: dict[int, _Running] = {}
        self._inputs: dict[str, _Input] = {}
        #: Of shells that have finished, and when they are to be forgotten.
        self._lingering: deque[tuple[float, _Input]] = deque()
        self._forgetting: asyncio.TimerHandle | None = None
        self._empty: asyncio.Event | None = None
        flux.core.set_fallback(Method(self._fallback, c.ROLE_USER))

    def __len__(self) -> int:
        return len(self._shells)

    # -- for the execution service ---------------------------------------------------------

    @method("job-exec.shell")
    def shell(self, req: Message) -> Reply:
        """``{id, userid, jobspec, R}`` -> stream of ``{reports: [[kind, what]..]}``."""
        if not req.streaming:
            raise PayloadError
        payload = req.json
        jobid, userid = need_int(payload, "id"), need_int(payload, "userid")
        jobspec: Jobspec = need_dict(payload, "jobspec")
        if jobid in self._shells:
            raise rpc_error(errno.EEXIST)
        runner = ShellRunner(self._host, jobid, jobspec, partial(self._reported, jobid))
        runner.run(need_dict(payload, "R"))
        self._shells[jobid] = _Running(runner, req, userid)
        return DEFERRED

    def _reported(self, jobid: int, reports: Reports) -> None:
        running = self._shells[jobid]
        kind, what = reports[0]
        if kind == "layout":
            self._offer_service(jobid, running, what)
        over = reports[-1][0] == "finished"
        if self._empty is not None and over:
            reports.pop()  # its tasks have not ended by themselves: the shell is lost
        self._flux.respond(running.req, {"reports": reports})
        if over:
            self._over(jobid, running)

    def _over(self, jobid: int, running: _Running) -> None:
        del self._shells[jobid]
        if running.input is not None:
            self._linger(running.input)
        stopping = self._empty is not None
        self._flux.respond_error(running.req, errno.EHOSTUNREACH if stopping else errno.ENODATA)
        if self._empty is not None and not self._shells:
            self._empty.set()

    @method("job-exec.shell-tell")
    def tell(self, req: Message) -> Reply:
        """``{id, kind, data}``: something for the shell of a job; nobody waits."""
        running = self._shells.get(need_int(req.json, "id"))
        if running is not None:
            kind, data = need_str(req.json, "kind"), need_dict(req.json, "data")
            _tell(running.runner, kind, data)
        return None

    @on_event(_EVENTS)
    def event(self, event: Message) -> None:
        """``shell-<id>.kill {signum}``: a signal for all tasks of a job."""
        number, _, what = (event.topic or "").removeprefix(_EVENTS).partition(".")
        if what == "kill" and number.isascii() and number.isdigit():
            running = self._shells.get(int(number))
            if running is not None:
                running.runner.signal(need_int(event.json, "signum"))

    def disconnect(self, req: Message) -> None:
        """A client is gone; if it was the execution service, so are its jobs."""
        for running in self._shells.values():
            if sender(running.req) == sender(req):
                running.runner.signal(signal.SIGKILL, final=True)

    async def stop(self) -> None:
        """Kill what runs, and wait for its end."""
        if self._shells:
            self._empty = asyncio.Event()
            for running in self._shells.values():
                running.runner.signal(signal.SIGKILL, final=True)
            try:
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await self._empty.wait()
            except TimeoutError:
                left = ",".join(map(f58, self._shells))
                self._flux.log(LOG_ERR, f"tasks cannot be killed, and are left: {left}")
        if self._forgetting is not None:
            self._forgetting.cancel()
        await self._host.spawner.close()
        await self._host.sweeper.finish()

    # -- for users -------------------------------------------------------------------------

    def _offer_service(self, jobid: int, running: _Running, what: Mapping[str, Any]) -> None:
        """Offer the leader's service, before anybody can read that it is there."""
        service = service_name(running.userid, jobid)
        tasks = IdSet.span(0, what["ntasks"] - 1) if what["stdin"] else None
        running.input = _Input(service, running.userid, tasks, running.runner)
        self._inputs[service] = running.input
        self._flux.rpc("service.add", {"service": service}).then(self._service_added)

    def _service_added(self, answer: Message) -> None:
        if answer.errnum:
            self._flux.log(LOG_ERR, f"service.add: {errno.errorcode.get(answer.errnum)}")

    def _linger(self, finished: _Input) -> None:
        finished.runner = None
        self._lingering.append((self._flux.loop.time() + _LINGER, finished))
        if self._forgetting is None:
            self._forgetting = self._flux.loop.call_later(_LINGER, self._forget)

    def _forget(self) -> None:
        """Withdraw the services of shells that have finished long ago."""
        self._forgetting = None
        now = self._flux.loop.time()
        while self._lingering:
            due, finished = self._lingering[0]
            if due > now:
                self._forgetting = self._flux.loop.call_at(due, self._forget)
                return
            self._lingering.popleft()
            del self._inputs[finished.service]
            if self._flux.connected:
                self._flux.notify("service.remove", {"service": finished.service})

    def _fallback(self, req: Message) -> Reply:
        """A request to the service of a job's shell."""
        topic = req.topic or ""
        service, _, word = topic.rpartition(".")
        wanted = self._inputs.get(service)
        if wanted is None or wanted.open is None or word != "stdin":
            raise rpc_error(errno.ENOSYS, f"Unknown service method '{topic}'")
        if not req.rolemask & c.ROLE_OWNER and req.userid != wanted.userid:
            raise rpc_error(errno.EPERM)
        wanted.open = _stdin(wanted.runner, wanted.open, req.json)
        return None


def _stdin(runner: ShellRunner | None, opened: IdSet, context: Mapping[str, Any]) -> IdSet:
    """``{stream, rank, data?, eof?}``: input for tasks; those whose stdin is open after it."""
    try:
        said = decode_data(context)
        ids = opened if said.rank == "all" else IdSet.decode(said.rank)
    except ValueError:
        raise PayloadError from None
    if runner is None:
        return opened
    if not opened or not ids <= opened:
        raise rpc_error(errno.EPIPE)
    data = {key: context[key] for key in _INPUT_KEYS if key in context}
    runner.report("input", {"data": data, "size": len(said.data)})
    return opened - ids if said.eof else opened


def _tell(runner: ShellRunner, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "signal":
        runner.signal(need_int(data, "signum"), final=bool(data.get("final")))
    elif kind == "input":
        runner.input(need_dict(data, "data"))
    elif kind == "write":
        runner.save(need_list(data, "data"))
    elif kind == "alone":
        runner.others_done()
    elif kind == "pmi":
        runner.exchanged(need_dict(data, "values"))
    elif kind == "credit":
        runner.credit(need_int(data, "size"))
    else:
        raise PayloadError
