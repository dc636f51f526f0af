"""A job's KVS namespace: made, written to, and at the end kept in the primary one (RFC 16, D20).

The commits of a job are few: what it is made with is no commit at all (see
:func:`~fluxcore.modules.job_exec.guest.first_root`), its records are gathered, and the operations
of all jobs on the primary namespace are one commit a loop turn.
"""

import asyncio
import errno
from collections.abc import Callable
from functools import partial
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.logline import LOG_ERR
from fluxcore.job.jobid import f58, kvs_key
from fluxcore.kvs import ops
from fluxcore.kvs.blobref import HashType
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import make_dirref
from fluxcore.modules.job_exec.guest import first_root
from fluxcore.modules.job_exec.records import Records
from fluxcore.wire.message import Message

#: Seconds for which records are gathered; so many more for each job that runs, up to a limit.
_DELAY: Final = 0.02
_DELAY_EACH: Final = 0.002
_DELAY_MAX: Final = 0.5

#: Told of success (None) or of what has failed.
Then = Callable[[OSError | None], None]


class PrimaryWriter:
    """Commits to the primary namespace: those of one loop turn together."""

    def __init__(self, flux: Flux) -> None:
        self._flux = flux
        self._ops: list[ops.Op] = []
        self._then: list[Then] = []

    def put(self, op: ops.Op, then: Then) -> None:
        """Commit ``op`` soon."""
        if not self._ops:
            self._flux.loop.call_soon(self._commit)
        self._ops.append(op)
        self._then.append(then)

    def _commit(self) -> None:
        batch, self._ops = self._ops, []
        then, self._then = self._then, []
        if not self._flux.connected:
            return
        payload = {"namespace": PRIMARY, "flags": 0, "ops": batch}
        self._flux.rpc("kvs.commit", payload).then(partial(self._done, then))

    def _done(self, then: list[Then], answer: Message) -> None:
        error = _error(answer)
        for function in then:
            function(error)


class Flusher:
    """Has guests commit what they have gathered, all at the same time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: dict[Guest, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        #: How many jobs run.
        self.active = 0

    def touch(self, guest: "Guest") -> None:
        """``guest`` has something to commit."""
        self._dirty[guest] = None
        if self._timer is None:
            delay = min(_DELAY + _DELAY_EACH * self.active, _DELAY_MAX)
            self._timer = self._loop.call_later(delay, self._flush)

    def forget(self, guest: "Guest") -> None:
        """``guest`` commits by itself."""
        self._dirty.pop(guest, None)

    def _flush(self) -> None:
        self._timer = None
        dirty, self._dirty = self._dirty, {}
        for guest in dirty:
            guest.flush()

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()


class Guest:
    """The namespace of one job. ``written`` is told of the output that is safe, by rank."""

    def __init__(
        self,
        flux: Flux,
        primary: PrimaryWriter,
        flusher: Flusher,
        jobid: int,
        records: Records,
        written: Callable[[dict[int, int]], None],
    ) -> None:
        self.name = f"job-{jobid}"
        self._id = jobid
        self._flux = flux
        self._primary = primary
        self._flusher = flusher
        self._records = records
        self._written = written
        self._key = kvs_key(jobid, "guest")
        self._exists = False
        self._busy = False
        self._rootref: str | None = None
        self._closing: Callable[[], None] | None = None

    # -- the beginning ---------------------------------------------------------------------

    def create(self, now: float, userid: int, kind: HashType, then: Then) -> None:
        """Make the namespace, with the first event in it, and link it to the job."""
        rootref, blobs = first_root(now, kind)
        for blob in blobs:
            self._flux.rpc("content.store", blob).then(self._stored)
        self._make(rootref, userid, then)

    def recreate(self, rootref: str, userid: int, then: Then) -> None:
        """Make the namespace of a job that ran before a restart anew, from what was kept."""
        self._make(rootref, userid, then)

    def _make(self, rootref: str, userid: int, then: Then) -> None:
        self._exists = True
        payload = {"namespace": self.name, "rootref": rootref, "owner": userid, "flags": 0}
        self._flux.rpc("kvs.namespace-create", payload).then(lambda answer: then(_error(answer)))
        self._primary.put(ops.symlink(self._key, ".", self.name), self._linked)

    def _made(self, then: Then, answer: Message) -> None:
        error = _error(answer)
        if error is not None and error.errno != errno.EEXIST:
            self._exists = False
        then(error)

    def _stored(self, answer: Message) -> None:
        if answer.errnum:
            self._complain("content.store", answer)

    def _linked(self, error: OSError | None) -> None:
        if error is not None:
            self._flux.log(LOG_ERR, f"{f58(self._id)}: link {self.name}: {error.strerror}")

    def _complain(self, what: str, answer: Message) -> None:
        error = _error(answer)
        assert error is not None
        self._flux.log(LOG_ERR, f"{f58(self._id)}: {what}: {error.strerror}")

    # -- records ---------------------------------------------------------------------------

    def touch(self) -> None:
        """There is something to commit soon."""
        if self._records.log and self._closing is None:
            self._flusher.touch(self)

    def flush(self) -> None:
        """Commit what has been gathered, once the commit before has been answered."""
        if self._busy or not self._exists or not self._flux.connected:
            return
        taken = self._records.take_credits()
        payload = {"namespace": self.name, "flags": 0, "ops": self._records.log.take()}
        self._busy = True
        self._flux.rpc("kvs.commit", payload).then(partial(self._committed, taken))

    def _committed(self, taken: dict[int, int], answer: Message) -> None:
        self._busy = False
        if answer.errnum:
            self._rootref = None
            self._complain(f"commit to {self.name}", answer)
        else:
            self._rootref = answer.json["rootref"]
        if taken:
            self._written(taken)
        if self._records.log:
            if self._closing is not None:
                self.flush()
            else:
                self._flusher.touch(self)
        elif self._closing is not None:
            self._graft()

    # -- the end ---------------------------------------------------------------------------

    def close(self, then: Callable[[], None]) -> None:
        """Commit the rest, keep all in the primary namespace, remove this one, call ``then``."""
        self._closing = then
        self._flusher.forget(self)
        if not self._exists:
            then()
        elif not self._busy:
            self.flush()

    def _graft(self) -> None:
        if self._rootref is None:  # somebody has removed it
            self._grafted(None)
            return
        self._primary.put(ops.put_treeobj(self._key, make_dirref(self._rootref)), self._grafted)

    def _grafted(self, error: OSError | None) -> None:
        then = self._closing
        if error is not None:
            self._flux.log(LOG_ERR, f"{f58(self._id)}: keep {self.name}: {error.strerror}")
        else:
            self._flux.notify("kvs.namespace-remove", {"namespace": self.name})
        assert then is not None
        then()

    async def keep(self) -> None:
        """Keep what is there in the primary namespace too: the job goes on after a restart."""
        self._flusher.forget(self)
        if self._records.log:
            payload = {"namespace": self.name, "flags": 0, "ops": self._records.log.take()}
            await self._flux.rpc("kvs.commit", payload)
        root = (await self._flux.rpc("kvs.getroot", {"namespace": self.name})).json
        op = ops.put_treeobj(self._key, make_dirref(root["rootref"]))
        await self._flux.rpc("kvs.commit", {"namespace": PRIMARY, "flags": 0, "ops": [op]})


def _error(answer: Message) -> OSError | None:
    return rpc_error(answer.errnum, answer.text) if answer.errnum else None
