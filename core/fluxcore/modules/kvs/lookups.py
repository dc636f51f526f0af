"""kvs.lookup and kvs.lookup-plus (CONTRACTS C3, C4)."""

import errno
from collections.abc import Callable
from functools import partial

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.kvs.lookup import lookup
from fluxcore.kvs.treeobj import is_valid
from fluxcore.modules.kvs.known import Known, Ns, userid_of
from fluxcore.modules.kvs.machines import Machines
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str, opt_int, opt_str

#: Answers a lookup: the request, the root's reference and sequence number, what was found.
Found = Callable[[Message, str, int, bytes | None], None]


class LookupService(Service):
    """Looks keys up on whatever rank they are asked for."""

    def __init__(self, flux: Flux, known: Known, machines: Machines) -> None:
        self._flux = flux
        self._known = known
        self._machines = machines

    @method("kvs.lookup", role=ROLE_USER)
    def lookup(self, req: Message) -> Reply:
        """``{key, flags, namespace|rootdir}`` -> ``{val: treeobj}``."""
        return self._look_up(req, self._found)

    @method("kvs.lookup-plus", role=ROLE_USER)
    def lookup_plus(self, req: Message) -> Reply:
        """The same with ``rootseq`` and ``rootref``; a missing key is no failure (C4)."""
        if "rootdir" in req.json:
            need_int(req.json, "rootseq")
        return self._look_up(req, self._found_plus)

    def _look_up(self, req: Message, found: Found) -> Reply:
        need_str(req.json, "key")
        need_int(req.json, "flags")
        name = opt_str(req.json, "namespace")
        rootseq = opt_int(req.json, "rootseq", -1)
        if "rootdir" in req.json:
            rootref = _rootref_in(req.json["rootdir"])
            return self._find(req, found, None, rootref, rootseq)
        if name is None:
            raise PayloadError
        return self._known.rooted(
            req, name, lambda ns: self._find(req, found, ns, ns.rootref, ns.rootseq)
        )

    def _find(
        self,
        req: Message,
        found: Found,
        namespace: Ns | None,
        rootref: str,
        rootseq: int,
    ) -> Reply:
        machine = lookup(
            self._machines.cache,
            self._known.namespaces,
            req.json["key"],
            req.json["flags"],
            rootref=rootref,
            namespace=namespace,
            userid=userid_of(req),
        )
        self._known.pending.add(req)
        self._machines.run(
            machine, partial(found, req, rootref, rootseq), partial(self._not_found, req)
        )
        return DEFERRED

    def _found(self, req: Message, _rootref: str, _rootseq: int, val: bytes | None) -> None:
        if not self._known.pending.discard(req):
            return  # its client is gone
        if val is None:
            self._flux.respond_error(req, errno.ENOENT)
        else:
            self._flux.respond(req, b'{"val":%b}\0' % val)

    def _found_plus(self, req: Message, rootref: str, rootseq: int, val: bytes | None) -> None:
        if not self._known.pending.discard(req):
            return
        what = b'"errno":%d' % errno.ENOENT if val is None else b'"val":%b' % val
        root = b'"rootseq":%d,"rootref":"%b"' % (rootseq, rootref.encode())
        self._flux.respond(req, b"{%b,%b}\0" % (what, root))

    def _not_found(self, req: Message, exc: OSError) -> None:
        if self._known.pending.discard(req):
            self._flux.core.respond_exception(req, exc)


def _rootref_in(rootdir: object) -> str:
    if not is_valid(rootdir):
        raise rpc_error(errno.EINVAL)
    assert isinstance(rootdir, dict)
    if rootdir["type"] != "dirref":
        raise rpc_error(errno.EINVAL)
    rootref: str = rootdir["data"][0]
    return rootref
