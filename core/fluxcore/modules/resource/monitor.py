"""Who is online: the group broker.online, as events (CONTRACTS H5, H8)."""

import errno
from collections.abc import Callable

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_ERR
from fluxcore.handle.requests import RequestList
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.modules.resource.availability import Availability
from fluxcore.modules.resource.reslog import Reslog
from fluxcore.resource.idset import IdSet
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str


class Monitor(Service):
    """Follows the groups and posts what changes."""

    def __init__(self, flux: Flux, availability: Availability, reslog: Reslog) -> None:
        self._flux = flux
        self._availability = availability
        self._reslog = reslog
        self._waiting = RequestList(flux)

    def start(self, hostlist: str, *, force_up: bool, follow: bool) -> None:
        """Post the event that begins a life of the instance, and follow who is online.

        ``force_up`` takes all for online; without ``follow`` that stays as it is.
        """
        if force_up:
            self._availability.set_online(self._availability.all)
        context = {
            "ranks": self._availability.all.encode(),
            "online": self._availability.online.encode(),
            "nodelist": hostlist,
        }
        self._reslog.post("restart", context)
        if follow and not force_up:
            self._watch("broker.online", self._online_changed)
            self._watch("broker.torpid", self._torpid_changed)

    def _watch(self, group: str, changed: Callable[[IdSet], None]) -> None:
        def update(answer: Message) -> None:
            if answer.errnum == errno.ENODATA:
                return
            if answer.errnum:
                level = LOG_CRIT if group == "broker.online" else LOG_ERR
                self._flux.log(level, f"monitor: {group}: {answer.text or answer.errnum}")
                return
            changed(IdSet.decode(need_str(answer.json, "members")))

        self._flux.stream("groups.get", {"name": group}).then(update)

    def _online_changed(self, ranks: IdSet) -> None:
        came, left = self._availability.set_online(ranks & self._availability.all)
        self._post("online", came)
        self._post("offline", left)
        self._tell_waiting()

    def _torpid_changed(self, ranks: IdSet) -> None:
        came, left = self._availability.set_torpid(ranks & self._availability.all)
        self._post("torpid", came)
        self._post("lively", left)

    def _post(self, name: str, ranks: IdSet) -> None:
        if ranks:
            self._reslog.post(name, {"idset": ranks.encode()})

    # -- test hooks ------------------------------------------------------------------------

    @method("resource.monitor-waitup")
    def wait_up(self, req: Message) -> Reply:
        """``{up}``: answered when so many ranks are online."""
        wanted = need_int(req.json, "up")
        if not 0 <= wanted <= len(self._availability.all):
            raise rpc_error(errno.EPROTO, "up value is out of range")
        self._waiting.add(req)
        self._tell_waiting()
        return DEFERRED

    def _tell_waiting(self) -> None:
        up = len(self._availability.online)
        for req in self._waiting:
            if req.json["up"] == up:
                self._waiting.discard(req)
                self._flux.respond(req)

    @method("resource.monitor-force-down")
    def force_down(self, req: Message) -> Reply:
        """``{ranks}``: take them for offline."""
        try:
            ranks = IdSet.decode(need_str(req.json, "ranks"))
        except ValueError as exc:
            raise rpc_error(errno.EINVAL, str(exc)) from None
        self._online_changed(self._availability.online - ranks)
        return None

    def disconnect(self, req: Message) -> None:
        """A client is gone."""
        self._waiting.disconnect(req)
