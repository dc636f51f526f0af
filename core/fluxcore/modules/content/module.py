"""The content service.

Every rank has a cache. A rank above 0 asks its parent for what it lacks and stores through it;
rank 0 answers a store at once, keeps the blob, and writes it behind to ``content-backing``, where
it also looks for what it lacks. So once a store is answered the blob can be loaded anywhere.
"""

import contextlib
import errno
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.calls import Call
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_CRIT, LOG_DEBUG, LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method, on_event
from fluxcore.kvs import batch
from fluxcore.kvs.blobref import hash_type
from fluxcore.kvs.cache import Cache
from fluxcore.modules.content.checkpoint import CheckpointService
from fluxcore.modules.content.options import parse_options
from fluxcore.modules.content.writeback import Flushed, WriteBack
from fluxcore.wire.constants import UPSTREAM
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, Payload
from fluxcore.wire.payload import need_str, opt_bool

_BACKING: Final = "content-backing"
_BACKING_ATTR: Final = "content.backing-module"
#: Seconds that a blob waits for others before it is written behind. A wake-up of the backing
#: store's thread for each KVS commit cost a third of the commits' speed; a flush does not wait,
#: and nothing but a checkpoint, which flushes, says after a crash what there was.
_WRITE_DELAY: Final = 0.05


class Content(Module):
    """Serves content.*."""

    name = "content"
    placement = "loop"

    def __init__(self, flux: Flux, args: Sequence[str] = (), conf: Mapping[str, Any] | None = None):
        """Begin with an empty cache and no backing store.

        :raises OSError: EINVAL for a bad option or an unknown content.hash
        """
        super().__init__(flux, args, conf)
        self._options = parse_options(self.args)
        self._hash = hash_type(flux.cached_attr("content.hash"))
        self._blobs: Cache[bytes, bytes] = Cache()
        self._loads: dict[bytes, list[Message]] = {}
        self._stores: dict[bytes, list[Message]] = {}
        self._flushes: list[Flushed] = []
        self._dirty = WriteBack(self._store_behind, self._options.flush_batch_limit)
        self._pump_planned = False
        self._backing_name = ""
        self._backing_takes_batches = False
        CheckpointService(self._ask, self._flush, self._leads_to_backing).bind(flux.core)

    async def start(self) -> None:
        """Learn which backing store the instance is to have, if that is settled."""
        with contextlib.suppress(FileNotFoundError):
            self._backing_name = await self.flux.attr(_BACKING_ATTR)

    # -- load ------------------------------------------------------------------------------

    @method("content.load")
    def load(self, req: Message) -> Reply:
        """A digest -> the blob; ENOENT if nobody has it."""
        digest = req.data or b""
        if len(digest) != self._hash.size:
            raise PayloadError
        blob = self._blobs.get(digest)
        if blob is not None:
            return blob or None
        waiting = self._loads.get(digest)
        if waiting is not None:
            waiting.append(req)
            return DEFERRED
        if self.rank == 0 and not self._dirty.active:
            raise rpc_error(errno.ENOENT)
        self._loads[digest] = [req]
        self._ask("load", digest).then(partial(self._loaded, digest))
        return DEFERRED

    def _loaded(self, digest: bytes, answer: Message) -> None:
        waiting = self._loads.pop(digest, None)
        if waiting is None:
            return  # a store has brought it meanwhile
        if answer.errnum:
            # At the end of the way, no service means no blob.
            at_end = self.rank == 0 and answer.errnum == errno.ENOSYS
            self._fail(waiting, errno.ENOENT if at_end else answer.errnum, answer.text)
            return
        blob = answer.data or b""
        self._blobs.add(digest, blob, len(blob))
        self._respond(waiting, blob)

    # -- store -----------------------------------------------------------------------------

    @method("content.store")
    def store(self, req: Message) -> Reply:
        """A blob -> its digest; EFBIG above the limit."""
        blob = req.data or b""
        self._check_size(blob)
        if self.rank == 0:
            digest = self._keep_dirty(blob)
            self._plan_pump()
            return digest
        self._store_through(self._keep(blob), blob, req)
        return DEFERRED

    @method("content.store-batch")
    def store_batch(self, req: Message) -> Reply:
        """Blobs -> their digests (see :mod:`~fluxcore.kvs.batch`): all are kept, or none.

        EFBIG if one is above the limit. This is for the KVS, whose commits are made on rank 0.
        Rank 0 only.
        """
        if self.rank != 0:
            raise rpc_error(errno.EINVAL, "blobs can be stored in batches only on rank 0")
        blobs = batch.unpack(req.data)
        self._check_size(max(blobs, key=len, default=b""))
        digests = b"".join(map(self._keep_dirty, blobs))
        self._plan_pump()
        return digests

    def _keep_dirty(self, blob: bytes) -> bytes:
        """Put ``blob`` into the cache, to be written behind by the next pump; its digest."""
        digest = self._hash.digest(blob)
        if digest in self._dirty:
            return digest
        if digest in self._blobs:
            self._blobs.hold(digest)
        else:
            self._blobs.add_held(digest, blob, len(blob))
            if digest in self._loads:
                self._respond(self._loads.pop(digest), blob)
        self._dirty.add(digest)
        return digest

    def _check_size(self, blob: bytes) -> None:
        if len(blob) > self._options.blob_size_limit:
            raise rpc_error(errno.EFBIG)

    def _keep(self, blob: bytes) -> bytes:
        """Put ``blob`` into the cache; its digest."""
        digest = self._hash.digest(blob)
        if digest not in self._blobs:
            self._blobs.add(digest, blob, len(blob))
            self._respond(self._loads.pop(digest, ()), blob)
        return digest

    def _store_through(self, digest: bytes, blob: bytes, req: Message) -> None:
        waiting = self._stores.get(digest)
        if waiting is not None:
            waiting.append(req)
            return
        self._stores[digest] = [req]
        self._blobs.hold(digest)
        self._ask("store", blob or None).then(partial(self._stored_through, digest))

    def _stored_through(self, digest: bytes, answer: Message) -> None:
        waiting = self._stores.pop(digest)
        self._blobs.release(digest)
        errnum = _failure(digest, answer)
        if errnum:
            self._blobs.discard(digest)
            self._fail(waiting, errnum, answer.text)
        else:
            self._respond(waiting, digest)
        if not self._stores:
            flushes, self._flushes = self._flushes, []
            for then in flushes:
                then(0)

    # -- writing behind, on rank 0 -----------------------------------------------------------

    def _plan_pump(self) -> None:
        """Write soon, all that has come by then."""
        if self._dirty.active and not self._pump_planned:
            self._pump_planned = True
            self.flux.loop.call_later(_WRITE_DELAY, self._pump)

    def _pump(self) -> None:
        self._pump_planned = False
        if self.flux.connected:
            self._dirty.pump()

    def _store_behind(self, digests: list[bytes]) -> None:
        blobs: dict[bytes, bytes] = {}
        for digest in digests:
            blob = self._blobs.get(digest)
            assert blob is not None, "a dirty blob is held"
            blobs[digest] = blob
        if self._backing_takes_batches:
            for part in batch.parts(blobs, digests):
                payload = batch.pack([blobs[digest] for digest in part])
                self._ask("store-batch", payload).then(partial(self._stored_behind, part))
        else:
            for digest, blob in blobs.items():
                self._ask("store", blob or None).then(partial(self._stored_behind, [digest]))

    def _stored_behind(self, digests: list[bytes], answer: Message) -> None:
        errnum = _failure(b"".join(digests), answer)
        if errnum:
            unavailable = errnum == errno.ENOSYS
            level = LOG_DEBUG if unavailable else LOG_CRIT
            text = "backing store service unavailable" if unavailable else answer.text
            self.flux.log(level, f"content store: {text or errno.errorcode.get(errnum)}")
        else:
            for digest in digests:
                self._blobs.release(digest)
        self._dirty.stored(digests, errnum)

    @method("content.flush")
    def flush(self, req: Message) -> Reply:
        """Answered when all that is dirty now is written; ENOSYS without a backing store."""
        self._flush(partial(self._flushed, req))
        return DEFERRED

    def _flush(self, then: Flushed) -> None:
        if self.rank == 0:
            self._dirty.flush(then)
        elif self._stores:
            self._flushes.append(then)
        else:
            then(0)

    def _flushed(self, req: Message, errnum: int) -> None:
        if errnum:
            self.flux.respond_error(req, errnum)
        else:
            self.flux.respond(req)

    # -- the backing store -----------------------------------------------------------------

    @method("content.register-backing")
    async def register_backing(self, req: Message) -> Reply:
        """``{name, batch?}``: module ``name`` serves content-backing from now on. Rank 0 only.

        With ``batch``, its store-batch too.
        """
        takes_batches = opt_bool(req.json, "batch")
        name = need_str(req.json, "name")
        if self.rank != 0:
            text = "content backing store can only be registered on rank 0"
            raise rpc_error(errno.EINVAL, text)
        if self._dirty.active:
            raise rpc_error(errno.EBUSY, "content backing store is already active")
        if self._backing_name not in ("", name):
            raise rpc_error(errno.EINVAL, "content backing store cannot be changed on the fly")
        if not self._backing_name:
            self._backing_name = name
            attr = {"name": _BACKING_ATTR, "value": name, "force": True}
            await self.flux.rpc("attr.set", attr)
        self._backing_takes_batches = takes_batches
        self._dirty.active = True
        self.flux.log(LOG_DEBUG, f"content backing store: enabled {name}")
        self._plan_pump()
        return None

    @method("content.unregister-backing")
    def unregister_backing(self, _req: Message) -> Reply:
        """Nothing serves content-backing any more."""
        if not self._dirty.active:
            raise rpc_error(errno.EINVAL, "content backing store is not active")
        self.flux.log(LOG_DEBUG, "content backing store: disabled")
        if len(self._dirty):
            self.flux.log(LOG_ERR, f"{len(self._dirty)} unflushables")
        self._dirty.stop()
        return None

    def _leads_to_backing(self) -> bool:
        return self.rank > 0 or self._dirty.active

    def _ask(self, what: str, payload: Payload = None) -> Call:
        """Send a request on: to the parent, at the end of the way to the backing store."""
        if self.rank == 0:
            return self.flux.rpc(f"{_BACKING}.{what}", payload, nodeid=0)
        return self.flux.rpc(f"content.{what}", payload, nodeid=self.rank, flags=UPSTREAM)

    # -- the cache -------------------------------------------------------------------------

    @method("content.dropcache")
    def dropcache(self, _req: Message) -> Reply:
        """Drop every blob that is stored elsewhere too."""
        before = len(self._blobs)
        dropped = self._blobs.trim(-1)
        self.flux.log(LOG_DEBUG, f"content dropcache {dropped}/{before}")
        return None

    @on_event("heartbeat.pulse")
    def pulse(self, _event: Message) -> None:
        """Drop old blobs if there are too many."""
        self._blobs.now = now = self.flux.loop.time()
        unused_since = now - self._options.purge_old_entry
        self._blobs.trim(self._options.purge_target_size, unused_since)

    @method(".stats-get")
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What content.stats-get answers (CONTRACTS C18)."""
        valid = len(self._blobs)
        return {
            "count": valid + len(self._loads),
            "valid": valid,
            "dirty": len(self._dirty) + len(self._stores),
            "size": self._blobs.size,
            "flush-batch-count": self._dirty.in_flight,
            "mmap": {"tags": {}, "blobs": 0} if self.rank == 0 else None,
        }

    # -- answers ---------------------------------------------------------------------------

    def _respond(self, requests: Sequence[Message], payload: bytes) -> None:
        for req in requests:
            self.flux.respond(req, payload or None)

    def _fail(self, requests: Sequence[Message], errnum: int, text: str | None) -> None:
        for req in requests:
            self.flux.respond_error(req, errnum, text)

    async def stop(self) -> None:
        """Send what is to be written behind, without waiting for it; fail those who wait."""
        self._dirty.pump()
        for waiting in (*self._loads.values(), *self._stores.values()):
            self._fail(waiting, errno.ENOSYS, None)
        self._dirty.stop()


def _failure(digests: bytes, answer: Message) -> int:
    """The errno of a store; EIO if what was stored is something else."""
    return answer.errnum or (0 if answer.data == digests else errno.EIO)
