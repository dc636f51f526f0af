"""The resources of the instance, and how they were found (CONTRACTS H4).

In the order in which they are tried: configured, those of an earlier life or of before a reload (in
the KVS), and what all ranks have discovered.
"""

import errno
from collections.abc import Callable
from typing import Any, Final

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.handle.service import DEFERRED, Reply, Service, method
from fluxcore.job.updates import update_r
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import put
from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.resource.options import load_r
from fluxcore.modules.resource.reslog import Reslog
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_bool, need_number, need_str

KEY: Final = "resource.R"


class Inventory(Service):
    """R on rank 0: it is put into the KVS, then an event says so.

    ``busy`` tells whether a scheduler has it.
    """

    def __init__(self, flux: Flux, size: int, reslog: Reslog, busy: Callable[[], bool]) -> None:
        self._flux = flux
        self._size = size
        self._reslog = reslog
        self._busy = busy
        self.r: dict[str, Any] | None = None
        self.rset = ResourceSet({})
        self.method = ""

    async def restore(self) -> None:
        """Take up what is in the KVS, if anything is.

        :raises OSError: it cannot be read, or is no R
        """
        payload = {"key": KEY, "namespace": PRIMARY, "flags": 0}
        try:
            value = val_bytes((await self._flux.rpc("kvs.lookup", payload)).json["val"])
        except FileNotFoundError:
            return
        try:
            self.put(orjson.loads(value), "kvs")
        except ValueError as exc:
            raise rpc_error(errno.EINVAL, f"{KEY}: {exc}") from None

    def put(
        self,
        r: dict[str, Any],
        how: str,
        then: Callable[[OSError | None], None] | None = None,
    ) -> None:
        """Make ``r`` the instance's resources; ``how`` is told with the event.

        :raises ValueError: it is no R
        """
        self.rset = ResourceSet.from_json(r)
        self.r, self.method = r, how
        self._commit(lambda: self._define(how, then))

    def _commit(self, then: Callable[[], None]) -> None:
        def committed(answer: Message) -> None:
            if answer.errnum:
                self._flux.log(LOG_ERR, f"error committing R to KVS: {answer.text or ''}")
            else:
                then()

        ops = [put(KEY, orjson.dumps(self.r))]
        payload = {"namespace": PRIMARY, "flags": 0, "ops": ops}
        self._flux.rpc("kvs.commit", payload).then(committed)

    def _define(self, how: str, then: Callable[[OSError | None], None] | None) -> None:
        self._reslog.post("resource-define", {"method": how}, commit=True, then=then)

    def ranks_of(self, targets: str) -> IdSet:
        """The ranks that ``targets`` names: an idset, or a hostlist.

        :raises OSError: EINVAL, it is neither, or names unknown hosts
        """
        try:
            return IdSet.decode(targets)
        except ValueError:
            pass
        if self.r is None:
            text = "R is unavailable for mapping hostnames to ranks"
            raise rpc_error(errno.EINVAL, text)
        try:
            wanted = Hostlist.decode(targets)
        except ValueError:
            text = "invalid targets: Hostlist cannot be decoded"
            raise rpc_error(errno.EINVAL, text) from None
        known = {node.host for node in self.rset.nodes.values()}
        missing = [host for host in wanted if host not in known]
        if missing:
            text = f"invalid targets: invalid hosts: {Hostlist(missing)}"
            raise rpc_error(errno.EINVAL, text)
        return IdSet([rank for rank, node in self.rset.nodes.items() if node.host in wanted])

    # -- requests --------------------------------------------------------------------------

    @method("resource.get")
    def get(self, _req: Message) -> Reply:
        """-> ``{R, method}``; ENOENT while it is not known."""
        if self.r is None:
            raise rpc_error(errno.ENOENT)
        return {"R": self.r, "method": self.method}

    @method("resource.reload")
    def reload(self, req: Message) -> Reply:
        """``{path, xml, force}``: other resources, from a file that holds an R."""
        path, xml = need_str(req.json, "path"), need_bool(req.json, "xml")
        force = need_bool(req.json, "force")
        if xml:
            raise rpc_error(errno.ENOSYS, "hwloc XML is not supported")
        rset = load_r(path)
        if rset and rset.ranks.last >= self._size and not force:
            text = f"resource object contains ranks execeeding size={self._size} "
            raise rpc_error(errno.EINVAL, text + "(override with -f))")
        if self._busy():
            raise rpc_error(errno.EBUSY, "resources are busy (unload scheduler?)")
        self.put(rset.to_json(), "reload", lambda exc: self._reloaded(req, exc))
        return DEFERRED

    def _reloaded(self, req: Message, exc: OSError | None) -> None:
        if exc is None:
            self._flux.respond(req)
        else:
            self._flux.core.respond_exception(req, exc)

    @method("resource.expiration-update")
    def expiration_update(self, req: Message) -> Reply:
        """``{expiration}``: the instance is to end then (seconds since the epoch)."""
        expiration = need_number(req.json, "expiration")
        if self.r is None:
            raise rpc_error(errno.ENOENT)
        context = {"expiration": expiration}
        self.r = update_r(self.r, context)
        self.rset = ResourceSet.from_json(self.r)
        self._commit(lambda: self._reslog.post("resource-update", context, commit=True))
        return None
