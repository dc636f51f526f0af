"""Managing namespaces (CONTRACTS C7)."""

import errno
import os

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.kvs.blobref import valid_blobref
from fluxcore.modules.kvs.commits import Commits
from fluxcore.modules.kvs.known import Known
from fluxcore.wire.constants import USERID_UNKNOWN
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str


def leader_only(rank: int) -> None:
    """Refuse what only rank 0 can do."""
    if rank > 0:
        raise rpc_error(errno.EPROTO, "this RPC is only available on rank 0")


class NamespaceService(Service):
    """Creates, removes and lists namespaces. ``merging`` is for the commits of new ones."""

    def __init__(
        self, flux: Flux, rank: int, known: Known, commits: Commits, *, merging: bool
    ) -> None:
        self._flux = flux
        self._rank = rank
        self._known = known
        self._commits = commits
        self._merging = merging

    @method("kvs.namespace-create")
    def namespace_create(self, req: Message) -> Reply:
        """``{namespace, rootref, owner, flags}``; owner -1 is the instance's."""
        leader_only(self._rank)
        name, rootref = need_str(req.json, "namespace"), need_str(req.json, "rootref")
        owner, flags = need_int(req.json, "owner"), need_int(req.json, "flags")
        if not valid_blobref(rootref):
            raise rpc_error(errno.EINVAL)
        owner = os.getuid() if owner in (-1, USERID_UNKNOWN) else owner
        namespace = self._known.namespaces.create(name, owner, flags, rootref)
        namespace.queue.merging = self._merging
        payload = {"namespace": name, "rootseq": 0, "rootref": rootref, "owner": owner}
        self._flux.publish(f"kvs.namespace-{name}-created", payload, private=True)
        return None

    @method("kvs.namespace-remove")
    def namespace_remove(self, req: Message) -> Reply:
        """``{namespace}``; one that is not there is removed already."""
        leader_only(self._rank)
        name = need_str(req.json, "namespace")
        if self.remove(name):
            payload = {"namespace": name}
            self._flux.publish(f"kvs.namespace-{name}-removed", payload, private=True)
        return None

    def remove(self, name: str) -> bool:
        """Remove ``name`` here: those who wait for it fail; False if it is not there."""
        namespace = self._known.namespaces.remove(name)
        if namespace is None:
            return False
        for req in namespace.waiters.clear():
            self._flux.respond_error(req, errno.ENOTSUP)
        self._commits.drop(namespace)
        return True

    @method("kvs.namespace-list")
    def namespace_list(self, _req: Message) -> Reply:
        """-> ``{namespaces: [{namespace, owner, flags}]}``, those known on this rank."""
        return {
            "namespaces": [
                {"namespace": ns.name, "owner": ns.owner, "flags": ns.flags}
                for ns in self._known.namespaces
                if not ns.removed
            ]
        }
