"""The class that a broker module derives from.

A module sees only its handle. It serves the methods it marks (see
:mod:`~fluxcore.handle.service`), and where it runs (on the broker's loop, in a thread, in a
process of its own) is no concern of its code::

    class Clock(Module):
        name = "clock"

        @method(".now", role=ROLE_USER)  # serves clock.now
        def now(self, req: Message) -> Reply:
            return {"now": time.time()}

``flux module load ./clock.py`` loads it.
"""

import errno
import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Reply, Service, method, on_event
from fluxcore.wire.constants import ROLE_ALL, ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str, opt_str

#: Where a module runs: on the broker's loop (chatty services of ours), in a thread with a loop
#: of its own (the default), or in a process of its own (CPU-bound or untrusted ones).
Placement = Literal["loop", "thread", "process"]

_RUSAGE_WHO = {
    "self": resource.RUSAGE_SELF,
    "children": resource.RUSAGE_CHILDREN,
    "thread": getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF),
}
_DEBUG_OPS: Mapping[str, Callable[[int, int], int]] = {
    "setbit": lambda old, flags: old | flags,
    "clrbit": lambda old, flags: old & ~flags,
    "set": lambda _old, flags: flags,
    "clr": lambda _old, _flags: 0,
}


class Module(Service):
    """A broker module: its life and the methods that every module has (CONTRACTS A25)."""

    #: The name it is loaded under unless told otherwise; by default the file's.
    name: ClassVar[str] = ""
    placement: ClassVar[Placement] = "thread"
    #: Names it serves beside its own, such as ``sched``.
    services: ClassVar[Sequence[str]] = ()

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Made by the broker; ``args`` are those of ``flux module load``.

        ``conf`` is the instance's configuration, as config.get gives it.
        """
        self.flux = flux
        self.args = tuple(args)
        self.conf = dict(conf or {})
        self.debug_flags = 0
        self.rank = int(flux.cached_attr("rank"))
        self.size = int(flux.cached_attr("size"))
        #: Ends the module's life from within; an OSError makes it a runtime failure, which ends
        #: the broker too unless broker.module-nopanic is set (CONTRACTS A28).
        self.quit: Callable[[OSError | None], None] = lambda _exc: None

    # -- its life: override what is needed --------------------------------------------------

    async def start(self) -> None:
        """Get ready to serve; the module counts as running when this returns.

        Requests and events wait until then, responses do not. An OSError raised here fails the
        load with its errno and text.
        """

    async def stop(self) -> None:
        """Finish: answer what is pending, save what must be saved. Requests still come in."""

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed configuration; an OSError refuses it with its text."""

    def stats(self) -> dict[str, Any]:
        """What stats-get answers: the handle's message counts unless overridden."""
        return self.flux.core.stats()

    def clear_stats(self) -> None:
        """Start the statistics anew."""
        self.flux.core.clear_stats()

    # -- what every module answers ----------------------------------------------------------

    @method(".ping", role=ROLE_USER)
    def _ping(self, req: Message) -> Reply:
        # The way in from the broker is a hop too; for the broker's own methods it is none.
        hops = dict.fromkeys((self.flux.cached_attr("broker.uuid"), self.flux.uuid))
        return ping_reply(req, self.rank, *hops)

    @method(".stats-get", role=ROLE_ALL)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    @method(".stats-clear")
    def _stats_clear(self, _req: Message) -> Reply:
        self.clear_stats()
        return None

    @on_event(".stats-clear")
    def _stats_clear_event(self, _event: Message) -> None:
        self.clear_stats()

    @method(".rusage", role=ROLE_USER)
    def _rusage(self, req: Message) -> Reply:
        return rusage_reply(req)

    @method(".debug")
    def _debug(self, req: Message) -> Reply:
        op, flags = need_str(req.json, "op"), need_int(req.json, "flags")
        if op not in _DEBUG_OPS:
            raise PayloadError
        self.debug_flags = _DEBUG_OPS[op](self.debug_flags, flags)
        return {"flags": self.debug_flags}

    @method(".config-reload")
    async def _config_reload(self, req: Message) -> Reply:
        await self.configure(req.json)
        self.conf = dict(req.json)
        return None


def ping_reply(req: Message, rank: int, *uuids: str) -> dict[str, Any]:
    """The answer to a ping: its payload, and where it has been (CONTRACTS A25)."""
    hops = [*(req.routes or ()), *uuids]
    return {
        **req.json,
        "route": "!".join(uuid[:8] for uuid in hops),
        "userid": req.userid,
        "rolemask": req.rolemask,
        "rank": rank,
    }


def rusage_reply(req: Message) -> dict[str, Any]:
    """The answer to a rusage request: ``{who?}``, of this process by default.

    :raises OSError: EINVAL for another ``who`` than self, children and thread
    """
    who = (opt_str(req.json, "who") if req.has_payload else None) or "self"
    if who not in _RUSAGE_WHO:
        raise rpc_error(errno.EINVAL, f"{who} is unsupported")
    usage = resource.getrusage(_RUSAGE_WHO[who])
    return {
        name.removeprefix("ru_"): getattr(usage, name)
        for name in (
            "ru_utime",
            "ru_stime",
            "ru_maxrss",
            "ru_ixrss",
            "ru_idrss",
            "ru_isrss",
            "ru_minflt",
            "ru_majflt",
            "ru_nswap",
            "ru_inblock",
            "ru_oublock",
            "ru_msgsnd",
            "ru_msgrcv",
            "ru_nsignals",
            "ru_nvcsw",
            "ru_nivcsw",
        )
    }


__all__ = ["DEFERRED", "Module", "Placement", "Reply", "method", "on_event"]
