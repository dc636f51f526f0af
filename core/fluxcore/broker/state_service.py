"""The state-machine and shutdown services (CONTRACTS A40, A42)."""

import errno
import time
from typing import Protocol

from fluxcore.broker.state import State
from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR, SEVERITIES, parse_line
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str, opt_bool, opt_int


class Control(Protocol):
    """What these services need of the run control."""

    @property
    def state(self) -> State:
        """The current state."""

    @property
    def since(self) -> float:
        """When it was entered, in seconds of the monotonic clock."""

    def post(self, event: str, *, error: bool = False) -> None:
        """Post an event, of a failure if ``error``."""

    def request_shutdown(self) -> None:
        """Begin to shut down.

        :raises OSError: EINVAL, saying why not
        """


class StateService(Service):
    """Serves state-machine.*."""

    def __init__(self, flux: Flux, control: Control) -> None:
        self._flux = flux
        self._control = control
        self._monitors = RequestList(flux)
        self._waiters = RequestList(flux)

    def entered(self, state: State) -> None:
        """Tell those who wait that ``state`` has been entered."""
        for req in self._monitors:
            if not self._tell(req, state):
                self._monitors.discard(req)
        if state is State.RUN:
            self._waiters.respond()
        elif state > State.RUN:
            self._waiters.end(errno.ENOENT, "broker has surpassed RUN state")

    @method("state-machine.get", role=ROLE_USER)
    def get(self, _req: Message) -> Reply:
        """-> ``{state, duration}``: its name, and the seconds since it was entered."""
        duration = time.monotonic() - self._control.since
        return {"state": self._control.state.label, "duration": duration}

    @method("state-machine.wait", role=ROLE_USER)
    def wait(self, req: Message) -> Reply:
        """Answered in RUN; ENOENT once it is past."""
        state = self._control.state
        if state > State.RUN:
            raise rpc_error(errno.ENOENT, "broker has surpassed RUN state")
        if state is State.RUN:
            return None
        self._waiters.add(req)
        return DEFERRED

    @method("state-machine.monitor")
    def monitor(self, req: Message) -> Reply:
        """``{final?}`` -> ``{state}`` now and, if streaming, at each change up to ``final``."""
        _final(req)
        if self._tell(req, self._control.state):
            self._monitors.add(req)
        return DEFERRED

    def _tell(self, req: Message, state: State) -> bool:
        """Tell one monitor; True if it is to be told more."""
        final = _final(req)
        if state <= final:
            self._flux.respond(req, {"state": int(state)})
            if not req.streaming:
                return False
        if state >= final:
            self._flux.respond_error(req, errno.ENODATA)
            return False
        return True

    @method("state-machine.post")
    def post(self, req: Message) -> Reply:
        """``{event, error?}``: post an event, for modules that are part of the broker.

        Nobody may wait for an answer: EPROTO.
        """
        event, error = need_str(req.json, "event"), opt_bool(req.json, "error")
        if not req.noresponse:
            raise PayloadError
        self._control.post(event, error=error)
        return None

    @method("state-machine.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._monitors.disconnect(req)
        self._waiters.disconnect(req)
        return None


def _final(req: Message) -> int:
    return opt_int(req.json, "final", State.EXIT) if req.has_payload else State.EXIT


class ShutdownService(Service):
    """Serves shutdown.start: rank 0 streams its log, while it goes down, to who asked."""

    def __init__(self, flux: Flux, control: Control) -> None:
        self._flux = flux
        self._control = control
        self._requests = RequestList(flux)

    @method("shutdown.start")
    def start(self, req: Message) -> Reply:
        """``{loglevel?}`` -> ``{log}`` a line, ENODATA at the end; without streaming, at once."""
        if len(self._requests):
            raise rpc_error(errno.EINVAL, "shutdown is already in progress")
        self._control.request_shutdown()
        if not req.streaming:
            return None
        self._requests.add(req)
        return DEFERRED

    def logged(self, line: bytes) -> None:
        """A line was written to the log."""
        for req in self._requests:
            entry = parse_line(line)
            if entry.severity <= (opt_int(req.json, "loglevel", LOG_ERR) if req.data else LOG_ERR):
                severity = SEVERITIES[entry.severity]
                text = f"{entry.app}.{severity}[{entry.rank}]: {entry.text}\n"
                self._flux.respond(req, {"log": text})

    def finished(self) -> None:
        """The broker is about to exit."""
        self._requests.end()

    @method("shutdown.disconnect")
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._requests.disconnect(req)
        return None
