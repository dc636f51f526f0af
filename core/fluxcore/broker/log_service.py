"""The log service (CONTRACTS A32)."""

import errno
from collections.abc import Callable

from fluxcore.broker.logbuf import LogBuffer
from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_str, opt_bool


class LogService(Service):
    """Serves log.append, log.dmesg and the rest."""

    def __init__(self, flux: Flux, log: LogBuffer, appended: Callable[[bytes], None]) -> None:
        self._flux = flux
        self._log = log
        self._appended = appended
        self._followers = RequestList(flux)

    def append_line(self, line: bytes) -> None:
        """Take a line of the broker itself or of a module."""
        if self._log.append(line):
            self._appended(line)
            if len(self._followers):
                self._followers.respond(line + b"\0")

    @method("log.append")
    def append(self, req: Message) -> Reply:
        """A raw line; answered only if a matchtag says that somebody waits (CONTRACTS A14)."""
        self.append_line((req.data or b"").rstrip(b"\0"))
        return None if req.matchtag else DEFERRED

    @method("log.clear")
    def clear(self, _req: Message) -> Reply:
        """Empty the ring."""
        self._log.clear()
        return None

    @method("log.dmesg")
    def dmesg(self, req: Message) -> Reply:
        """``{follow, nobacklog?}`` -> a line each, raw; ENODATA unless following."""
        if "follow" not in req.json or not req.streaming:
            raise PayloadError
        follow = opt_bool(req.json, "follow")
        if not opt_bool(req.json, "nobacklog"):
            for line in list(self._log.ring):
                self._flux.respond(req, line + b"\0")
        if not follow:
            raise rpc_error(errno.ENODATA)
        self._followers.add(req)
        return DEFERRED

    @method("log.cancel")
    def cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end a stream of the same sender."""
        self._followers.cancel(req)
        return None

    @method("log.disconnect")
    def disconnect(self, req: Message) -> Reply:
        """A client has gone."""
        self._followers.disconnect(req)
        return None

    @method("log.stats-get")
    def stats(self, _req: Message) -> Reply:
        """-> ``{ring-used, count, local, remote}``."""
        return self._log.stats()

    @method("log.setattr")
    def setattr(self, req: Message) -> Reply:
        """``{name, value}`` of log-stderr-level, before the attribute changes."""
        name, value = need_str(req.json, "name"), need_str(req.json, "value")
        if name != "log-stderr-level":
            raise rpc_error(errno.EINVAL, "unknown log attribute")
        try:
            level = int(value)
        except ValueError:
            level = LOG_DEBUG + 1
        if level > LOG_DEBUG:
            raise rpc_error(errno.EINVAL, "invalid level")
        self._log.levels.stderr_level = level
        return None
