"""Carrying commits out, on rank 0 (CONTRACTS C2).

Commits that arrive in one loop turn wait for its end, so those that may be merged are one
transaction. Each namespace has one transaction at a time: it is applied, its blobs are stored, a
SYNC is checkpointed, and only then is its root the namespace's and its setroot event published,
which is what answers the commits on every rank.
"""

import errno
import time
from collections.abc import Callable
from functools import partial

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.tstat import Tstat
from fluxcore.kvs import batch
from fluxcore.kvs.blobref import HashType, to_digests
from fluxcore.kvs.checkpoint import Checkpoint
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import SYNC
from fluxcore.kvs.queue import Commit
from fluxcore.kvs.transaction import Applied, apply
from fluxcore.modules.kvs.machines import Machines
from fluxcore.modules.kvs.roots import Ns
from fluxcore.wire.message import Message


class _Storing:
    """The blobs of one transaction on their way to the content service."""

    __slots__ = ("errnum", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.errnum = 0


class Commits:
    """Applies what the queues of the namespaces hold.

    ``changed`` is told of a new root and those who waited for that version.
    """

    def __init__(
        self,
        flux: Flux,
        machines: Machines,
        kind: HashType,
        changed: Callable[[Ns, list[Message]], None],
    ) -> None:
        self._flux = flux
        self._machines = machines
        self._kind = kind
        self._changed = changed
        self._due: dict[Ns, None] = {}
        self.opcount = Tstat()

    def add(self, namespace: Ns, commit: Commit) -> None:
        """Let ``commit`` be carried out in its turn."""
        namespace.queue.add(commit)
        self.opcount.push(len(commit.ops))
        self._plan(namespace)

    def _plan(self, namespace: Ns) -> None:
        if not self._due:
            self._flux.loop.call_soon(self._process)
        self._due[namespace] = None

    def _process(self) -> None:
        due, self._due = self._due, {}
        for namespace in due:
            commit = namespace.queue.start() if self._flux.connected else None
            if commit is not None:
                self._apply(namespace, commit)

    def _apply(self, namespace: Ns, commit: Commit) -> None:
        if commit.flags & SYNC and namespace.name != PRIMARY:
            self._failed(namespace, rpc_error(errno.EINVAL))
            return
        machine = apply(
            self._machines.cache,
            namespace.rootref,
            commit.ops,
            namespace=namespace.name,
            kind=self._kind,
        )
        self._machines.run(
            machine, partial(self._applied, namespace, commit), partial(self._failed, namespace)
        )

    # -- its blobs -------------------------------------------------------------------------

    def _applied(self, namespace: Ns, commit: Commit, applied: Applied) -> None:
        namespace.known_stores += applied.known
        if not applied.stores:
            self._stored(namespace, commit, applied)
            return
        blobs = applied.stores
        parts = batch.parts(blobs, blobs)
        storing = _Storing(len(parts))
        for refs in parts:
            then = partial(self._part_stored, namespace, commit, applied, storing, refs)
            payload = batch.pack([blobs[ref] for ref in refs])
            self._flux.rpc("content.store-batch", payload).then(then)

    def _part_stored(
        self,
        namespace: Ns,
        commit: Commit,
        applied: Applied,
        storing: _Storing,
        refs: list[str],
        answer: Message,
    ) -> None:
        if answer.errnum:
            storing.errnum = answer.errnum
        elif answer.data != to_digests(refs, self._kind):
            storing.errnum = errno.EPROTO  # the content service hashes in another way
        storing.left -= 1
        if storing.left:
            return
        if storing.errnum:
            self._failed(namespace, rpc_error(storing.errnum))
        else:
            self._stored(namespace, commit, applied)

    def _stored(self, namespace: Ns, commit: Commit, applied: Applied) -> None:
        if not commit.flags & SYNC:
            self._finish(namespace, commit, applied)
            return
        rootseq = namespace.rootseq + commit.publish
        checkpoint = Checkpoint(applied.rootref, rootseq, time.time()).to_json()
        self._flux.rpc("content.checkpoint-put", {"value": checkpoint}, nodeid=0).then(
            partial(self._checkpointed, namespace, commit, applied)
        )

    def _checkpointed(
        self, namespace: Ns, commit: Commit, applied: Applied, answer: Message
    ) -> None:
        if answer.errnum:
            self._failed(namespace, rpc_error(answer.errnum, answer.text))
        else:
            self._finish(namespace, commit, applied)

    # -- its end ---------------------------------------------------------------------------

    def _finish(self, namespace: Ns, commit: Commit, applied: Applied) -> None:
        if namespace.removed:
            self._failed(namespace, rpc_error(errno.ENOTSUP))
            return
        namespace.queue.done()
        if commit.publish:
            waiting = namespace.set_root(applied.rootref, namespace.rootseq + 1)
            self._publish_setroot(namespace, commit, applied)
            self._changed(namespace, waiting)
        self._next(namespace)

    def _publish_setroot(self, namespace: Ns, commit: Commit, applied: Applied) -> None:
        payload = {
            "namespace": namespace.name,
            "rootseq": namespace.rootseq,
            "rootref": namespace.rootref,
            "names": commit.names,
            "keys": dict.fromkeys(applied.keys),
            "owner": namespace.owner,
        }
        self._flux.publish(f"kvs.namespace-{namespace.name}-setroot", payload, private=True)

    def _failed(self, namespace: Ns, exc: OSError) -> None:
        errnum = exc.errno or errno.EINVAL
        names = namespace.queue.failed(errnum)
        if names:
            self.publish_error(namespace.name, names, errnum)
        self._next(namespace)

    def _next(self, namespace: Ns) -> None:
        if namespace.queue:
            self._plan(namespace)

    def publish_error(self, namespace: str, names: list[str], errnum: int) -> None:
        """Tell every rank that the commits ``names`` have failed."""
        payload = {"namespace": namespace, "names": names, "errnum": errnum}
        self._flux.publish(f"kvs.namespace-{namespace}-error", payload, private=True)

    def drop(self, namespace: Ns) -> None:
        """Fail what waits in a namespace that is gone; what runs fails when it has run."""
        names = namespace.queue.drop()
        if names:
            self.publish_error(namespace.name, names, errno.ENOTSUP)
