"""The service content-backing over a database file.

The module runs in a thread of its own, so SQLite may block. The host hands the thread all that
has come since it last looked; what is stored in one such batch is one transaction, written and
answered at the end of the loop turn. Nothing that is not written is ever answered.
"""

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR
from fluxcore.handle.module import DEFERRED, Module, Reply, method
from fluxcore.handle.tstat import Tstat
from fluxcore.kvs import batch
from fluxcore.kvs.blobref import hash_type, to_digest
from fluxcore.modules.content_sqlite.database import Database
from fluxcore.modules.content_sqlite.options import Options, configured, with_args
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message, Payload
from fluxcore.wire.payload import need_int, need_list, opt_bool

#: One mark or sweep request does no more than this, so that loads do not wait long behind it.
_MARK_MAX: Final = 16384
_DELETE_MAX: Final = 8192
_WINDOW_MAX: Final = 1 << 19


class ContentSqlite(Module):
    """Serves content-backing.* and content-sqlite.stats-get."""

    name = "content-sqlite"
    placement = "thread"
    services = ("content-backing",)

    async def start(self) -> None:
        """Open the file and register with the content service.

        :raises OSError: a bad option, a file that cannot be used, another backing store
        """
        self._hash = hash_type(self.flux.cached_attr("content.hash"))
        self._load_time = Tstat()
        self._store_time = Tstat()
        self._pending: list[tuple[Message, Payload]] = []
        self._writing = False
        options, path = await self._defaults()
        self._options = with_args(configured(options, self.conf), self.args)
        self._db = Database(path, self._options)
        text = f"{path} ({self._db.count()} objects) {self._describe()}"
        self.flux.log(LOG_DEBUG, text)
        try:
            await self.flux.rpc("content.register-backing", {"name": self.name, "batch": True})
        except OSError:
            self._db.close()
            raise

    async def _defaults(self) -> tuple[Options, str]:
        """The options to begin with and the file: in the statedir if there is one.

        A directory that goes when the broker ends need not survive a crash.
        """
        options = Options()
        try:
            directory = await self.flux.attr("statedir")
            temporary = await self._attr_or("statedir-cleanup", "0")
        except FileNotFoundError:
            directory = await self.flux.attr("rundir")
            temporary = await self._attr_or("rundir-cleanup", "0")
        if temporary == "1":
            options = replace(options, journal_mode="OFF", synchronous="OFF")
        return options, os.path.join(directory, "content.sqlite")

    async def _attr_or(self, name: str, default: str) -> str:
        try:
            return await self.flux.attr(name)
        except FileNotFoundError:
            return default

    def _describe(self) -> str:
        return f"journal_mode={self._options.journal_mode} synchronous={self._options.synchronous}"

    async def configure(self, conf: Mapping[str, Any]) -> None:
        """Check a changed [content-sqlite] table; it holds from the next load of the module."""
        configured(Options(), conf)

    async def stop(self) -> None:
        """Take what the content service has not written yet, tell it that we go, close."""
        for method_name in ("content.flush", "content.unregister-backing"):
            try:
                await self.flux.rpc(method_name)
            except OSError as exc:
                self.flux.log(LOG_ERR, f"{method_name}: {exc.strerror}")
        self._commit()
        self._db.close()

    # -- writing in batches ----------------------------------------------------------------

    def _write(self) -> None:
        """Be in a transaction, which ends with this loop turn."""
        if not self._writing:
            self._db.begin()
            self._writing = True
            self.flux.loop.call_soon(self._commit)

    def _answer_written(self, req: Message, payload: Payload = None) -> Reply:
        self._pending.append((req, payload))
        return DEFERRED

    def _commit(self) -> None:
        if not self._writing:
            return
        self._writing = False
        try:
            self._db.commit()
        except OSError as exc:
            self.flux.log(LOG_ERR, f"commit: {exc.strerror}")
            self._fail_pending(exc)
            return
        pending, self._pending = self._pending, []
        for req, payload in pending:
            self.flux.respond(req, payload)

    def _fail_pending(self, exc: OSError) -> None:
        pending, self._pending = self._pending, []
        for req, _ in pending:
            self.flux.core.respond_exception(req, exc)

    def _rolled_back(self, exc: OSError) -> None:
        """Fail what was to be written with something that could not be, if all of it is undone."""
        if not self._db.in_transaction:
            self._writing = False
            self._fail_pending(exc)

    # -- blobs -----------------------------------------------------------------------------

    def _digest_of(self, req: Message) -> bytes:
        digest = req.data or b""
        if len(digest) != self._hash.size:
            raise PayloadError
        return digest

    @method("content-backing.load")
    def load(self, req: Message) -> Reply:
        """A digest -> the blob; ENOENT if there is none."""
        start = time.perf_counter()
        blob = self._db.load(self._digest_of(req))
        self._load_time.push(1e3 * (time.perf_counter() - start))
        return blob or None

    @method("content-backing.store")
    def store(self, req: Message) -> Reply:
        """A blob -> its digest, once it is written."""
        return self._store(req, [req.data or b""])

    @method("content-backing.store-batch")
    def store_batch(self, req: Message) -> Reply:
        """Blobs -> their digests (see :mod:`~fluxcore.kvs.batch`), once all are written."""
        return self._store(req, batch.unpack(req.data))

    def _store(self, req: Message, blobs: list[bytes]) -> Reply:
        start = time.perf_counter()
        digests = [self._hash.digest(blob) for blob in blobs]
        self._write()
        try:
            self._db.store(digests, blobs)
        except OSError as exc:
            self._rolled_back(exc)
            raise
        if blobs:
            each = 1e3 * (time.perf_counter() - start) / len(blobs)
            self._store_time.push(each, len(blobs))
        return self._answer_written(req, b"".join(digests))

    @method("content-backing.validate")
    def validate(self, req: Message) -> Reply:
        """A digest -> nothing if there is such a blob, else ENOENT."""
        if not self._db.exists(self._digest_of(req)):
            raise rpc_error(errno.ENOENT)
        return None

    # -- checkpoints -----------------------------------------------------------------------

    @method("content-backing.checkpoint-get")
    def checkpoint_get(self, _req: Message) -> Reply:
        """-> ``{value: [checkpoint, ...]}``, the latest first; ENOENT if there is none."""
        values = [value for _, value in self._db.checkpoints()]
        if not values:
            raise rpc_error(errno.ENOENT)
        return {"value": values}

    @method("content-backing.checkpoint-put")
    def checkpoint_put(self, req: Message) -> Reply:
        """``{value: checkpoint}``, answered once it is written."""
        if "value" not in req.json:
            raise PayloadError
        text = _encode_checkpoint(req.json["value"])
        self._write()
        self._db.add_checkpoint(text)
        return self._answer_written(req)

    # -- garbage collection ----------------------------------------------------------------

    @method("content-backing.mark")
    def mark(self, req: Message) -> Reply:
        """``{epoch, hashes: [blobref, ...]}`` -> ``{marked}``: these are in use."""
        epoch, refs = _need_int64(req.json, "epoch"), need_list(req.json, "hashes")
        if len(refs) > _MARK_MAX:
            text = f"mark request of {len(refs)} hashes exceeds limit of {_MARK_MAX}"
            raise rpc_error(errno.EINVAL, text)
        digests = [self._digest_in(ref) for ref in refs]
        self._write()
        return self._answer_written(req, {"marked": self._db.mark(epoch, digests)})

    def _digest_in(self, ref: str) -> bytes:
        try:
            digest = to_digest(ref)
        except OSError:
            raise PayloadError from None
        if len(digest) != self._hash.size:
            raise PayloadError
        return digest

    @method("content-backing.sweep")
    def sweep(self, req: Message) -> Reply:
        """Delete some blobs below an epoch, from row id ``cursor`` on.

        ``{epoch, cursor, high_water, delete_cap, window}`` -> ``{deleted, cursor}``, the cursor
        being where to go on; the caller is done when it has reached ``high_water``.
        """
        epoch, cursor, high_water, at_most, window = (
            _need_int64(req.json, key)
            for key in ("epoch", "cursor", "high_water", "delete_cap", "window")
        )
        if cursor < 0 or high_water < 0 or at_most <= 0 or window <= 0:
            raise rpc_error(errno.EINVAL)
        at_most = min(at_most, _DELETE_MAX)
        up_to = min(cursor + min(window, _WINDOW_MAX), high_water)
        self._write()
        deleted = self._db.sweep(epoch, cursor, up_to, at_most)
        cursor = deleted[-1] if len(deleted) == at_most else up_to
        return self._answer_written(req, {"deleted": len(deleted), "cursor": cursor})

    @method("content-backing.gc-info")
    def gc_info(self, req: Message) -> Reply:
        """``{epoch, get_count?}`` -> ``{current_epoch, high_water, candidates?}``."""
        epoch = _need_int64(req.json, "epoch")
        info = {"current_epoch": self._db.epoch, "high_water": self._db.high_water()}
        if opt_bool(req.json, "get_count"):
            info["candidates"] = self._db.below(epoch)
        return info

    # -- statistics ------------------------------------------------------------------------

    @method(".stats-get", role=ROLE_USER)
    def _stats_get(self, _req: Message) -> Reply:
        return self.stats()

    def stats(self) -> dict[str, Any]:
        """What content-sqlite.stats-get answers; times in milliseconds, sizes in bytes."""
        free = os.statvfs(os.path.dirname(self._db.path))
        return {
            "object_count": self._db.count(),
            "current_epoch": self._db.epoch,
            "dbfile_size": os.path.getsize(self._db.path),
            "dbfile_free": free.f_bsize * free.f_bavail,
            "load_time": self._load_time.describe(),
            "store_time": self._store_time.describe(),
            "config": {
                "journal_mode": self._options.journal_mode,
                "synchronous": self._options.synchronous,
            },
            "checkpoints": [{"id": each, "value": value} for each, value in self._db.checkpoints()],
        }

    def clear_stats(self) -> None:
        """Count from zero again."""
        self._load_time = Tstat()
        self._store_time = Tstat()


def _encode_checkpoint(value: object) -> str:
    if type(value) not in (dict, list):
        raise rpc_error(errno.EINVAL, "failed to encode checkpoint value")
    return orjson.dumps(value).decode()


def _need_int64(payload: Mapping[str, Any], key: str) -> int:
    """The integer at ``key``, which SQLite can take."""
    value = need_int(payload, key)
    if not -(1 << 63) <= value < 1 << 63:
        raise PayloadError
    return value
