"""The database file ``content.sqlite``, which flux-core can read and whose files we can read.

A digest is stored as SQLite text although it is no text: flux-core binds it so, and text and blob
never compare equal. Our blobs are stored as they are, with ``size`` -1; flux-core compresses
those of 256 bytes and more, and ``size`` is then what they were.

An *epoch* is the id of the latest checkpoint. A blob has the epoch it was last stored in; garbage
collection raises that of every blob it can reach and then deletes those left behind.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import orjson

from fluxcore.handle.errors import rpc_error
from fluxcore.modules.content_sqlite.lz4 import decompress
from fluxcore.modules.content_sqlite.options import Options

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS objects("
    " hash BLOB PRIMARY KEY, size INT, object BLOB, epoch INT DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS checkpt_v2("
    " id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, value TEXT)",
)
_ADD_EPOCH: Final = "ALTER TABLE objects ADD COLUMN epoch INT DEFAULT 0"
_LOAD: Final = "SELECT object, size FROM objects WHERE hash = CAST(?1 AS TEXT)"
#: Stores any number of blobs. For each step SQLite's thread gives Python's lock away and takes it
#: again, which costs the broker's loop more than the step, so there is only one: all digests are
#: one value (?1, each of ?2 bytes), all blobs another (?3), and ?4 is a JSON array that says of
#: each blob where it begins, times 2^32, plus its length.
_STORE: Final = (
    "INSERT INTO objects (hash, size, object, epoch)"
    " SELECT CAST(substr(?1, 1 + ?2 * key, ?2) AS TEXT), -1,"
    " coalesce(substr(?3, 1 + (value >> 32), value & 0xffffffff), x''), ?5"
    " FROM json_each(?4) WHERE true"
    " ON CONFLICT (hash) DO UPDATE SET epoch = excluded.epoch"
)
_EXISTS: Final = "SELECT EXISTS (SELECT 1 FROM objects WHERE hash = CAST(?1 AS TEXT))"
_CHECKPOINTS: Final = "SELECT id, value FROM checkpt_v2 ORDER BY id DESC"
_ADD_CHECKPOINT: Final = "INSERT INTO checkpt_v2 (value) VALUES (?1)"
_PRUNE: Final = (
    "DELETE FROM checkpt_v2 WHERE id IN"
    " (SELECT id FROM checkpt_v2 ORDER BY id DESC LIMIT -1 OFFSET ?1)"
)
_MARK: Final = "UPDATE objects SET epoch = MAX(epoch, ?1) WHERE hash = CAST(?2 AS TEXT)"
_SWEEPABLE: Final = (
    "SELECT rowid FROM objects WHERE epoch < ?1 AND rowid > ?2 AND rowid <= ?3"
    " ORDER BY rowid LIMIT ?4"
)

#: What SQLite's primary result codes are as errnos; another one is EINVAL.
_ERRNOS: Final = {
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
    sqlite3.SQLITE_ABORT: errno.EPERM,
    sqlite3.SQLITE_PERM: errno.EPERM,
    sqlite3.SQLITE_READONLY: errno.EPERM,
    sqlite3.SQLITE_TOOBIG: errno.EFBIG,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
}


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Turn what SQLite raises into an OSError with SQLite's text and code."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        errnum = _ERRNOS.get(code & 0xFF, errno.EINVAL)
        raise rpc_error(errnum, f"{exc}({code})") from None


class Database:
    """The open file. Every method may block and may raise OSError with SQLite's text."""

    def __init__(self, path: str, options: Options) -> None:
        """Open ``path``, making it if need be.

        :raises OSError: it may not be read and written, or is no database of ours
        """
        self.path = path
        self._options = options
        if options.truncate and os.path.exists(path):
            os.unlink(path)
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            raise rpc_error(errno.EACCES, f"{path}: Permission denied")
        with sqlite_errors():
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                self._set_up()
            except BaseException:
                self._db.close()
                raise

    def _set_up(self) -> None:
        run = self._db.execute
        run(f"PRAGMA journal_mode={self._options.journal_mode}")
        run(f"PRAGMA synchronous={self._options.synchronous}")
        run("PRAGMA locking_mode=EXCLUSIVE")
        verdict = self._one("PRAGMA quick_check")
        if verdict != "ok":
            raise rpc_error(errno.EIO, f"{self.path}: {verdict}")
        for statement in _SCHEMA:
            run(statement)
        if "epoch" not in [column[1] for column in run("PRAGMA table_info(objects)")]:
            run(_ADD_EPOCH)
        self.epoch = self._one("SELECT MAX(id) FROM checkpt_v2") or 0

    def _one(self, statement: str, *values: Any) -> Any:
        row = self._db.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Close the file."""
        with sqlite_errors():
            self._db.close()

    # -- transactions ----------------------------------------------------------------------

    def begin(self) -> None:
        """Let what follows be written together by :meth:`commit`."""
        with sqlite_errors():
            self._db.execute("BEGIN IMMEDIATE")

    @property
    def in_transaction(self) -> bool:
        """False also after a failure for which SQLite has undone all since :meth:`begin`."""
        return self._db.in_transaction

    def commit(self) -> None:
        """Write what was done since :meth:`begin`; on failure nothing of it is written."""
        try:
            with sqlite_errors():
                self._db.execute("COMMIT")
        except OSError:
            with suppress(sqlite3.Error):  # a failure may have rolled it back already
                self._db.execute("ROLLBACK")
            raise

    # -- blobs -----------------------------------------------------------------------------

    def load(self, digest: bytes) -> bytes:
        """The blob of ``digest``.

        :raises OSError: ENOENT, there is none; EINVAL, it is damaged
        """
        with sqlite_errors():
            row = self._db.execute(_LOAD, (digest,)).fetchone()
        if row is None:
            raise rpc_error(errno.ENOENT)
        blob, size = row
        blob = blob or b""
        if type(blob) is not bytes or type(size) is not int:
            raise rpc_error(errno.EINVAL)
        return blob if size == -1 else decompress(blob, size)

    def store(self, digests: Sequence[bytes], blobs: Sequence[bytes]) -> None:
        """Keep ``blobs``; each has its place in ``digests``, which are all of one size.

        One that is there already is in use again: it gets today's epoch.
        """
        places, at = [], 0
        for blob in blobs:
            places.append(at << 32 | len(blob))
            at += len(blob)
        size = len(digests[0]) if digests else 0
        listed = orjson.dumps(places).decode()
        values = (b"".join(digests), size, b"".join(blobs), listed, self.epoch)
        with sqlite_errors():
            self._db.execute(_STORE, values)

    def exists(self, digest: bytes) -> bool:
        """True if there is a blob of ``digest``."""
        with sqlite_errors():
            return bool(self._one(_EXISTS, digest))

    def count(self) -> int:
        """How many blobs there are."""
        with sqlite_errors():
            return int(self._one("SELECT COUNT(1) FROM objects"))

    # -- checkpoints -----------------------------------------------------------------------

    def checkpoints(self) -> list[tuple[int, Any]]:
        """The id and value of each checkpoint, the latest first.

        :raises OSError: EINVAL, one is no JSON
        """
        with sqlite_errors():
            rows = self._db.execute(_CHECKPOINTS).fetchall()
        try:
            return [(each, orjson.loads(value)) for each, value in rows]
        except orjson.JSONDecodeError as exc:
            raise rpc_error(errno.EINVAL, str(exc)) from None

    def add_checkpoint(self, value: str) -> None:
        """Keep a checkpoint (JSON text) and begin a new epoch; the oldest above the number go."""
        with sqlite_errors():
            cursor = self._db.execute(_ADD_CHECKPOINT, (value,))
            self.epoch = cursor.lastrowid or 0
            self._db.execute(_PRUNE, (self._options.max_checkpoints,))

    # -- garbage collection ----------------------------------------------------------------

    def mark(self, epoch: int, digests: Sequence[bytes]) -> int:
        """Raise these blobs' epochs to ``epoch`` if they are below; how many are there."""
        with sqlite_errors():
            return sum(self._db.execute(_MARK, (epoch, each)).rowcount for each in digests)

    def sweep(self, epoch: int, after: int, up_to: int, at_most: int) -> list[int]:
        """Delete at most so many blobs below ``epoch`` with a row id in a range; their row ids."""
        with sqlite_errors():
            rows = self._db.execute(_SWEEPABLE, (epoch, after, up_to, at_most)).fetchall()
            self._db.executemany("DELETE FROM objects WHERE rowid = ?1", rows)
        return [rowid for (rowid,) in rows]

    def high_water(self) -> int:
        """The highest row id, 0 if there is no blob."""
        with sqlite_errors():
            return self._one("SELECT MAX(rowid) FROM objects") or 0

    def below(self, epoch: int) -> int:
        """How many blobs have an epoch below ``epoch``; this looks at every one."""
        with sqlite_errors():
            return int(self._one("SELECT COUNT(*) FROM objects WHERE epoch < ?1", epoch))
