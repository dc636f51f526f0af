"""The shells of jobs on this rank, for the execution service on rank 0 and for users (D20, D21).

The service on rank 0 asks by job-exec.shell, a stream of reports until its shell has finished, and
tells the shell things by job-exec.shell-tell. Users send input to the shell of a job's first rank,
at the service that the event shell.init names.
"""

import asyncio
import errno
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
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
#: What a data event of input may hold (RFC 24).
_INPUT_KEYS: Final = ("stream", "rank", "encoding", "data", "eof")


@dataclass(slots=True)
class _Running:
    """One shell here. ``service`` is only the leader's; ``open`` are the tasks it has stdin for."""

    runner: ShellRunner
    req: Message
    userid: int
    service: str | None = None
    open: IdSet = field(default_factory=IdSet)


class ShellService(Service):
    """Runs shells."""

    def __init__(self, flux: Flux, host: Host) -> None:
        self._flux = flux
        self._host = host
        self._shells: dict[int, _Running] = {}
        self._by_service: dict[str, _Running] = {}
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
        self._withdraw_service(running)
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
        self._host.spawner.close()
        await self._host.sweeper.finish()

    # -- for users -------------------------------------------------------------------------

    def _offer_service(self, jobid: int, running: _Running, what: Mapping[str, Any]) -> None:
        """Offer the leader's service, before anybody can read that it is there."""
        running.service = service_name(running.userid, jobid)
        running.open = IdSet.span(0, what["ntasks"] - 1) if what["stdin"] else IdSet()
        self._by_service[running.service] = running
        payload = {"service": running.service}
        self._flux.rpc("service.add", payload).then(self._service_added)

    def _service_added(self, answer: Message) -> None:
        if answer.errnum:
            self._flux.log(LOG_ERR, f"service.add: {errno.errorcode.get(answer.errnum)}")

    def _withdraw_service(self, running: _Running) -> None:
        if running.service is not None:
            del self._by_service[running.service]
            self._flux.notify("service.remove", {"service": running.service})

    def _fallback(self, req: Message) -> Reply:
        """A request to the service of a job's shell."""
        topic = req.topic or ""
        service, _, word = topic.rpartition(".")
        running = self._by_service.get(service)
        if running is None or word != "stdin":
            raise rpc_error(errno.ENOSYS, f"Unknown service method '{topic}'")
        if not req.rolemask & c.ROLE_OWNER and req.userid != running.userid:
            raise rpc_error(errno.EPERM)
        self._stdin(running, req.json)
        return None

    def _stdin(self, running: _Running, context: Mapping[str, Any]) -> None:
        """``{stream, rank, data?, eof?}``: input for tasks whose stdin is open."""
        try:
            said = decode_data(context)
            ids = running.open if said.rank == "all" else IdSet.decode(said.rank)
        except ValueError:
            raise PayloadError from None
        if not running.open or not ids <= running.open:
            raise rpc_error(errno.EPIPE)
        data = {key: context[key] for key in _INPUT_KEYS if key in context}
        running.runner.report("input", {"data": data, "size": len(said.data)})
        if said.eof:
            running.open -= ids


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
