"""``flux uptime`` (CONTRACTS A43)."""

import time
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.job.fsd import format_fsd
from fluxcore.resource.idset import IdSet
from fluxcore.wire.payload import need_dict, need_list, need_str, opt_bool


class Uptime:
    """What is known of the instance: its state and for how long, and what is wrong with it."""

    def __init__(self, state: str, duration: float, owner: str, depth: int, size: int) -> None:
        self.state = state
        self.duration = duration
        self.owner = owner
        self.depth = depth
        self.size = size
        self.drained = 0
        self.offline = 0
        self.submit_disabled = False
        self.stopped = False

    def lines(self, clock: str) -> list[str]:
        """What is printed when the clock (HH:MM:SS) shows ``clock``."""
        first = (
            f" {clock} {self.state} {format_fsd(self.duration, 2)},  owner {self.owner},"
            f"  depth {self.depth},  size {self.size}"
        )
        for count, what in ((self.drained, "drained"), (self.offline, "offline")):
            if count > 0:
                first += f",  {count} {what}"
        flags = ((self.submit_disabled, "submit disabled"), (self.stopped, "scheduler stopped"))
        second = ",  ".join([what for flag, what in flags if flag])
        return [first, f"  {second}"] if second else [first]


def uptime(_parsed: Parsed) -> None:
    """Print how long the instance has been running."""
    now = time.time()
    with connect() as flux:
        found = _gather(flux, now)
    for line in found.lines(time.strftime("%H:%M:%S", time.localtime(now))):
        print(line)


def _gather(flux: Flux, now: float) -> Uptime:
    owner = _user(_attr(flux, "security.owner"))
    size, depth = int(_attr(flux, "size")), int(_attr(flux, "instance-level"))
    state = _ask(flux, "state-machine.get", "broker state", nodeid=None)
    found = Uptime(need_str(state, "state"), float(state["duration"]), owner, depth, size)
    # In any other state the services on rank 0 may not be there.
    if found.state == "run":
        start = _ask(flux, "attr.get", "broker.starttime attribute", {"name": "broker.starttime"})
        found.duration = max(0.0, now - float(need_str(start, "value")))
        status = _ask(flux, "resource.status", "resource status")
        found.drained = sum(len(IdSet.decode(ranks)) for ranks in need_dict(status, "drain"))
        online = _ask(flux, "groups.get", "broker.online group", {"name": "broker.online"})
        found.offline = size - len(IdSet.decode(need_str(online, "members")))
        _queues(flux, found)
    return found


def _queues(flux: Flux, found: Uptime) -> None:
    """A queue that is enabled or started speaks for all of them."""
    names = need_list(_ask(flux, "job-manager.queue-list", "queues"), "queues")
    requests = [{"name": name} for name in names] or [{}]
    answers = [_ask(flux, "job-manager.queue-status", "queue status", r) for r in requests]
    found.submit_disabled = not any(opt_bool(answer, "enable") for answer in answers)
    found.stopped = not any(opt_bool(answer, "start") for answer in answers)


def _attr(flux: Flux, name: str) -> str:
    try:
        return flux.attr(name)
    except OSError as exc:
        raise CommandError(f"Error fetching {name} attribute: {exc.strerror}") from None


def _ask(
    flux: Flux,
    topic: str,
    what: str,
    payload: dict[str, Any] | None = None,
    *,
    nodeid: int | None = 0,
) -> dict[str, Any]:
    try:
        if nodeid is None:
            return flux.rpc(topic, payload).json
        return flux.rpc(topic, payload, nodeid=nodeid).json
    except OSError as exc:
        raise CommandError(f"Error fetching {what}: {exc.strerror}") from None


def _user(uid: str) -> str:
    import pwd

    try:
        return pwd.getpwuid(int(uid)).pw_name
    except KeyError:
        return uid


UPTIME: Final = Command(
    "flux uptime", "[OPTIONS]...", "Show how long the instance has been running", uptime
)
