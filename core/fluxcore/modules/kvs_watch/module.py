"""The kvs-watch service: carries out what the watchers of each namespace decide.

What to look up and what to tell is decided in :mod:`fluxcore.kvs.watch` and
:mod:`fluxcore.kvs.monitor`; here are the requests, the answers and the events.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.handle.requests import goes_with, may_end, sender
from fluxcore.kvs.blobref import to_digest
from fluxcore.kvs.monitor import Actions, Monitor
from fluxcore.kvs.treeobj import make_dirref
from fluxcore.kvs.watch import Action, End, Load, LookUp, Root, Tell, Watcher, check_flags
from fluxcore.wire.constants import ROLE_OWNER, ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str

#: A watcher's request is found by its sender and matchtag.
_Key = tuple[str, int]


class _Watching:
    """A watcher, its request and the namespace it watches."""

    __slots__ = ("monitor", "req", "watcher")

    def __init__(self, req: Message, monitor: Monitor, watcher: Watcher) -> None:
        self.req = req
        self.monitor = monitor
        self.watcher = watcher


class _Answer:
    """Gives the response to a request to a function."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[Message], None]) -> None:
        self._function = function

    def feed(self, msg: Message) -> None:
        """Take the response."""
        self._function(msg)


class KvsWatch(Module):
    """Serves kvs-watch.*."""

    name = "kvs-watch"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without watchers."""
        super().__init__(flux, args, conf)
        self._monitors: dict[str, Monitor] = {}
        self._by_request: dict[_Key, _Watching] = {}
        self._by_watcher: dict[Watcher, _Watching] = {}

    # -- requests --------------------------------------------------------------------------

    @method(".lookup", role=ROLE_USER)
    def lookup(self, req: Message) -> Reply:
        """``{key, namespace, flags}`` -> ``{val: treeobj}``, again and again (CONTRACTS C9)."""
        name, key = need_str(req.json, "namespace"), need_str(req.json, "key")
        flags = need_int(req.json, "flags")
        check_flags(flags, streaming=req.streaming)
        if _key_of(req) in self._by_request:
            raise rpc_error(errno.EINVAL)
        monitor = self._monitors.get(name) or self._monitor(name)
        watcher = Watcher(key, flags, None if req.rolemask & ROLE_OWNER else req.userid)
        watching = _Watching(req, monitor, watcher)
        self._by_request[_key_of(req)] = self._by_watcher[watcher] = watching
        self._carry_out(monitor, monitor.add(watcher))
        return DEFERRED

    def _monitor(self, name: str) -> Monitor:
        """Begin to watch namespace ``name``. Its events are subscribed to already."""
        monitor = self._monitors[name] = Monitor(name)
        self.flux.rpc("kvs.getroot", {"namespace": name}).then(partial(self._got_root, monitor))
        return monitor

    def _got_root(self, monitor: Monitor, answer: Message) -> None:
        if answer.errnum:
            self._carry_out(monitor, monitor.no_root(answer.errnum))
        else:
            owner = need_int(answer.json, "owner")
            self._carry_out(monitor, monitor.got_root(_root_in(answer), owner))

    @method(".cancel", role=ROLE_USER)
    def cancel(self, req: Message) -> Reply:
        """``{matchtag}``: end that watcher of the same sender with ENODATA. Nobody waits."""
        key = sender(req), need_int(req.json, "matchtag")
        watching = self._by_request.get(key)
        if watching is not None and may_end(watching.req, req):
            self._carry_out(watching.monitor, watching.monitor.cancel(watching.watcher))
        return DEFERRED

    @method(".disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client is gone, and its watchers with it."""
        for watching in list(self._by_request.values()):
            if goes_with(watching.req, req):
                watching.monitor.drop(watching.watcher)
                self._forget(watching.watcher)
                self._close_idle(watching.monitor)
        return DEFERRED

    # -- events ----------------------------------------------------------------------------

    @on_event("kvs.namespace")
    def _on_event(self, event: Message) -> None:
        kind = (event.topic or "").rpartition("-")[2]
        handle = _EVENTS.get(kind)
        if handle is None:
            return
        monitor = self._monitors.get(need_str(event.json, "namespace"))
        if monitor is not None:
            self._carry_out(monitor, handle(monitor, event))

    # -- what the watchers decide ----------------------------------------------------------

    def _carry_out(self, monitor: Monitor, actions: Actions) -> None:
        for watcher, action in actions:
            watching = self._by_watcher.get(watcher)
            if watching is not None:
                self._act(watching, action)
        for watcher, _ in actions:
            if watcher.finished:
                self._forget(watcher)
        self._close_idle(monitor)

    def _close_idle(self, monitor: Monitor) -> None:
        if not len(monitor) and self._monitors.get(monitor.name) is monitor:
            del self._monitors[monitor.name]

    def _forget(self, watcher: Watcher) -> None:
        watching = self._by_watcher.pop(watcher, None)
        if watching is not None:
            del self._by_request[_key_of(watching.req)]

    def _act(self, watching: _Watching, action: Action) -> None:
        match action:
            case LookUp():
                self._look_up(watching, action)
            case Load():
                then = partial(self._loaded, watching, action)
                self.flux.rpc("content.load", to_digest(action.ref)).then(then)
            case Tell(val):
                self.flux.respond(watching.req, None if val is None else {"val": val})
            case End(errnum, text):
                self.flux.respond_error(watching.req, errnum, text)

    def _look_up(self, watching: _Watching, action: LookUp) -> None:
        """Ask the kvs service, as the watcher's user: the key may lead to other namespaces."""
        payload: dict[str, Any] = {"key": action.key, "flags": action.flags}
        if action.root is None:
            payload["namespace"] = watching.monitor.name
        else:
            payload["rootseq"] = action.root.rootseq
            payload["rootdir"] = make_dirref(action.root.rootref)
        self.flux.core.request(
            _Answer(partial(self._looked_up, watching, action)),
            "kvs.lookup-plus",
            payload,
            creds=(watching.req.userid, watching.req.rolemask),
        )

    def _looked_up(self, watching: _Watching, action: LookUp, answer: Message) -> None:
        result = rpc_error(answer.errnum, answer.text) if answer.errnum else answer.json
        monitor = watching.monitor
        self._carry_out(monitor, monitor.looked_up(watching.watcher, action.slot, result))

    def _loaded(self, watching: _Watching, action: Load, answer: Message) -> None:
        result = rpc_error(answer.errnum, answer.text) if answer.errnum else answer.data or b""
        monitor = watching.monitor
        self._carry_out(monitor, monitor.loaded(watching.watcher, action.slot, result))

    # -- statistics and the end ------------------------------------------------------------

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What kvs-watch.stats-get answers (CONTRACTS C10)."""
        return {
            "watchers": sum(map(len, self._monitors.values())),
            "namespace-count": len(self._monitors),
            "namespaces": {name: _describe(mon) for name, mon in self._monitors.items()},
        }

    async def stop(self) -> None:
        """End all watchers."""
        for watching in list(self._by_request.values()):
            self.flux.respond_error(watching.req, errno.ENOSYS)


def _key_of(req: Message) -> _Key:
    return sender(req), req.matchtag


def _describe(monitor: Monitor) -> dict[str, Any]:
    root = monitor.root
    return {
        "owner": -1 if monitor.owner is None else monitor.owner,
        "rootseq": -1 if root is None else root.rootseq,
        "rootref": "(null)" if root is None else root.rootref,
        "watchers": len(monitor),
    }


def _root_in(msg: Message) -> Root:
    return Root(need_str(msg.json, "rootref"), need_int(msg.json, "rootseq"))


def _on_setroot(monitor: Monitor, event: Message) -> Actions:
    keys = need_dict(event.json, "keys")
    root = Root(need_str(event.json, "rootref"), need_int(event.json, "rootseq"), keys.keys())
    return monitor.set_root(root, need_int(event.json, "owner"))


def _on_created(monitor: Monitor, event: Message) -> Actions:
    return monitor.got_root(_root_in(event), need_int(event.json, "owner"))


def _on_removed(monitor: Monitor, _event: Message) -> Actions:
    return monitor.removed()


_EVENTS: Final[dict[str, Callable[[Monitor, Message], Actions]]] = {
    "setroot": _on_setroot,
    "created": _on_created,
    "removed": _on_removed,
}
