"""The kvs service: its methods, and the events by which every rank follows the roots.

Rank 0 has the namespaces and carries commits out (see :mod:`~fluxcore.modules.kvs.commits`). A
commit on another rank goes there as kvs.relaycommit under a name; the setroot or error event that
holds the name answers it, on whatever rank it was made.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.handle.requests import goes_with
from fluxcore.kvs.blobref import hash_type
from fluxcore.kvs.machine import ObjectCache
from fluxcore.kvs.ops import authorize_guest
from fluxcore.kvs.queue import Commit
from fluxcore.modules.kvs.commits import Commits
from fluxcore.modules.kvs.known import Known, Ns
from fluxcore.modules.kvs.lookups import LookupService
from fluxcore.modules.kvs.machines import Machines
from fluxcore.modules.kvs.namespaces import NamespaceService, leader_only
from fluxcore.modules.kvs.options import checkpoint_period, parse_args
from fluxcore.modules.kvs.primary import Primary
from fluxcore.modules.kvs.stats import kvs_stats
from fluxcore.wire.constants import ROLE_OWNER, ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_list, need_str

#: Seconds after which what was not used leaves the cache.
_MAX_AGE: Final = 10.0
#: Seconds after which a follower forgets a namespace that nothing happens in.
_MAX_NAMESPACE_AGE: Final = 3600.0


class Kvs(Module):
    """Serves kvs.*."""

    name = "kvs"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin without namespaces.

        :raises OSError: EINVAL for a bad option, configuration or content.hash
        """
        super().__init__(flux, args, conf)
        self._options = parse_args(self.args)
        kind = hash_type(flux.cached_attr("content.hash"))
        self._known = Known(flux, self.rank, self._root_changed)
        self._machines = Machines(flux, ObjectCache(), self._known.roots.ask)
        self._commits = Commits(flux, self._machines, kind, self._root_changed)
        self._primary = Primary(flux, kind, self._known.namespaces, self._commits)
        self._primary.set_period(checkpoint_period(self.conf))
        merging = self._options.transaction_merge
        self._managing = NamespaceService(
            flux, self.rank, self._known, self._commits, merging=merging
        )
        self._managing.bind(flux.core)
        LookupService(flux, self._known, self._machines).bind(flux.core)
        self._paused: dict[str, list[dict[str, Any]]] = {}
        self._commit_count = 0

    async def start(self) -> None:
        """On rank 0, have the primary namespace, from the last checkpoint if there is one."""
        if self.rank == 0:
            primary = await self._primary.restore(self._options.initial_rootref)
            primary.queue.merging = self._options.transaction_merge

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Take a changed [kvs] table."""
        self._primary.set_period(checkpoint_period(conf))

    async def stop(self) -> None:
        """Fail those who wait; on rank 0, leave a checkpoint."""
        for req in self._known.waiting():
            self.flux.log(LOG_ERR, f"failing pending '{req.topic}' request")
            self.flux.respond_error(req, errno.ENOSYS)
        if self.rank == 0:
            await self._primary.save()

    # -- commit ----------------------------------------------------------------------------

    @method("kvs.commit", role=ROLE_USER)
    def commit(self, req: Message) -> Reply:
        """``{namespace, flags, ops}`` -> ``{rootref, rootseq}``."""
        ops, flags = need_list(req.json, "ops"), need_int(req.json, "flags")
        name = need_str(req.json, "namespace")
        if not req.rolemask & ROLE_OWNER:
            authorize_guest(ops)
        return self._known.rooted(req, name, lambda ns: self._commit(req, ns, ops, flags))

    def _commit(self, req: Message, namespace: Ns, ops: list[Any], flags: int) -> Reply:
        name = f"transaction_req.{self.rank}.{self._commit_count}"
        self._commit_count += 1
        if self.rank == 0:
            self._commits.add(namespace, Commit([name], ops, flags))
        else:
            payload = {"ops": ops, "name": name, "namespace": namespace.name, "flags": flags}
            self.flux.notify("kvs.relaycommit", payload, nodeid=0)
        namespace.commits[name] = req
        return DEFERRED

    @method("kvs.relaycommit")
    def relaycommit(self, req: Message) -> Reply:
        """``{ops, name, namespace, flags}``: a commit of another rank. An event answers it."""
        leader_only(self.rank)
        ops, flags = need_list(req.json, "ops"), need_int(req.json, "flags")
        name, ns_name = need_str(req.json, "name"), need_str(req.json, "namespace")
        namespace = self._known.namespaces.get(ns_name)
        if namespace is None:
            self._commits.publish_error(ns_name, [name], errno.ENOTSUP)
        else:
            self._commits.add(namespace, Commit([name], ops, flags))
        return DEFERRED

    # -- roots -----------------------------------------------------------------------------

    @method("kvs.getroot", role=ROLE_USER)
    def getroot(self, req: Message) -> Reply:
        """``{namespace}`` -> ``{owner, rootseq, rootref, flags, namespace}``."""
        return self._known.rooted(req, need_str(req.json, "namespace"), _describe_root)

    @method("kvs.wait-version", role=ROLE_USER)
    def wait_version(self, req: Message) -> Reply:
        """``{namespace, rootseq}`` -> ``{rootseq, rootref}`` once it is that or later."""
        rootseq = need_int(req.json, "rootseq")
        name = need_str(req.json, "namespace")
        return self._known.rooted(req, name, lambda ns: self._wait_version(req, ns, rootseq))

    def _wait_version(self, req: Message, namespace: Ns, rootseq: int) -> Reply:
        if namespace.rootseq < rootseq:
            namespace.waiters.add(rootseq, req)
            return DEFERRED
        return _version(namespace)

    def _root_changed(self, namespace: Ns, waiting: list[Message]) -> None:
        namespace.touched = self.flux.loop.time()
        for req in waiting:
            self.flux.respond(req, _version(namespace))

    # -- events ----------------------------------------------------------------------------

    @on_event("kvs.namespace")
    def _on_event(self, event: Message) -> None:
        kind = (event.topic or "").rpartition("-")[2]
        if kind == "setroot":
            self._on_setroot(event.json)
        elif kind == "error":
            self._on_error(event.json)
        elif kind == "removed":
            self._on_removed(event.json)

    def _on_setroot(self, root: dict[str, Any]) -> None:
        name = need_str(root, "namespace")
        namespace = self._known.namespaces.find(name)
        if namespace is None:
            rootref, rootseq = need_str(root, "rootref"), need_int(root, "rootseq")
            self._known.roots.seen_setroot(name, rootref, rootseq)
        elif name in self._paused:
            self._paused[name].append(root)
        else:
            self._set_root(namespace, root)

    def _set_root(self, namespace: Ns, root: dict[str, Any]) -> None:
        names = need_list(root, "names")
        if namespace.removed:
            self._fail_commits(namespace, names, errno.ENOTSUP)
            return
        rootref, rootseq = need_str(root, "rootref"), need_int(root, "rootseq")
        if self.rank > 0:  # rank 0 has set it before it told of it
            self._root_changed(namespace, namespace.set_root(rootref, rootseq))
        for name in names:
            req = namespace.commits.pop(name, None)
            if req is not None:
                self.flux.respond(req, {"rootref": rootref, "rootseq": rootseq})

    def _on_error(self, error: dict[str, Any]) -> None:
        namespace = self._known.namespaces.find(need_str(error, "namespace"))
        if namespace is not None:
            self._fail_commits(namespace, need_list(error, "names"), need_int(error, "errnum"))

    def _fail_commits(self, namespace: Ns, names: list[str], errnum: int) -> None:
        for name in names:
            req = namespace.commits.pop(name, None)
            if req is not None:
                self.flux.respond_error(req, errnum)

    def _on_removed(self, event: dict[str, Any]) -> None:
        if self.rank > 0:  # on rank 0 there may be a new one of that name already
            name = need_str(event, "namespace")
            self._known.roots.seen_removed(name)
            self._managing.remove(name)

    @on_event("heartbeat.pulse")
    def _on_pulse(self, _event: Message) -> None:
        now = self.flux.loop.time()
        self._machines.cache.now = now
        self._machines.cache.trim(0, now - _MAX_AGE)
        if self.rank > 0:
            for namespace in self._known.namespaces:
                if now - namespace.touched > _MAX_NAMESPACE_AGE and namespace.idle:
                    self._known.namespaces.forget(namespace.name)
        self._known.namespaces.reap()

    # -- test hooks (C11) ------------------------------------------------------------------

    @method("kvs.setroot-pause", role=ROLE_USER)
    def setroot_pause(self, req: Message) -> Reply:
        """``{namespace}``: hold its setroot events back on this rank."""
        name = need_str(req.json, "namespace")
        return self._known.rooted(req, name, lambda ns: self._pause(ns))

    def _pause(self, namespace: Ns) -> Reply:
        self._paused.setdefault(namespace.name, [])
        return None

    @method("kvs.setroot-unpause", role=ROLE_USER)
    def setroot_unpause(self, req: Message) -> Reply:
        """``{namespace}``: take what was held back, in order."""
        return self._known.rooted(req, need_str(req.json, "namespace"), self._unpause)

    def _unpause(self, namespace: Ns) -> Reply:
        for root in self._paused.pop(namespace.name, ()):
            self._set_root(namespace, root)
        return None

    # -- clients that go, statistics -------------------------------------------------------

    @method("kvs.disconnect", role=ROLE_USER)
    def disconnect(self, req: Message) -> Reply:
        """A client is gone: nothing it waits for is told any more."""
        self._known.pending.disconnect(req)
        for namespace in self._known.namespaces:
            namespace.waiters.discard(lambda waiting: goes_with(waiting, req))
        return None

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What kvs.stats-get answers (CONTRACTS C11)."""
        return kvs_stats(
            self._machines,
            self._known.namespaces,
            self._commits.opcount,
            len(self._known.waiting()),
        )


def _describe_root(namespace: Ns) -> Reply:
    return {
        "owner": namespace.owner,
        "rootseq": namespace.rootseq,
        "rootref": namespace.rootref,
        "flags": namespace.flags,
        "namespace": namespace.name,
    }


def _version(namespace: Ns) -> dict[str, Any]:
    return {"rootseq": namespace.rootseq, "rootref": namespace.rootref}
