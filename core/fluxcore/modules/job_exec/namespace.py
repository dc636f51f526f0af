"""A job's KVS namespace: made, written to, and at the end kept in the primary one (RFC 16, D20).

Most jobs are short, and what they write into the KVS is most of what they cost. So records wait a
moment, in which a short job ends: its records then go into the primary namespace at once, where
they belong in the end, and its own has only been there for its tasks. Operations of all jobs on
the primary namespace are one commit a loop turn.
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
from fluxcore.kvs.blobref import HashType, blobref
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.treeobj import Treeobj, encode, make_dir, make_dirref
from fluxcore.modules.job_exec.records import Records
from fluxcore.wire.message import Message

#: Seconds for which records are gathered; so many more for each job that runs, up to a limit.
_DELAY: Final = 0.04
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
        if self._flux.connected:
            payload = {"namespace": PRIMARY, "flags": 0, "ops": batch}
            self._flux.rpc("kvs.commit", payload).then(partial(self._done, then))

    def _done(self, then: list[Then], answer: Message) -> None:
        error = _error(answer)
        for function in then:
            function(error)


class Flusher:
    """Has guests commit what they have gathered, each some time after its first record."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[Guest, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        #: How many jobs run.
        self.active = 0

    def touch(self, guest: "Guest") -> None:
        """``guest`` has something to commit."""
        if guest in self._due:
            return
        delay = min(_DELAY + _DELAY_EACH * self.active, _DELAY_MAX)
        self._due[guest] = self._loop.time() + delay
        if self._timer is None:
            self._timer = self._loop.call_later(delay, self._flush)

    def forget(self, guest: "Guest") -> None:
        """``guest`` commits by itself."""
        self._due.pop(guest, None)

    def _flush(self) -> None:
        self._timer = None
        now = self._loop.time()
        for guest, due in list(self._due.items()):
            if due > now:  # and so are nearly all that follow
                self._timer = self._loop.call_at(due, self._flush)
                return
            del self._due[guest]
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
        #: Nothing is there that is not in the records.
        self._fresh = True
        self._linked = False
        self._busy = False
        #: Its root as last known.
        self._rootref = ""
        self._closing: Callable[[], None] | None = None

    # -- the beginning ---------------------------------------------------------------------

    def create(self, userid: int, kind: HashType, then: Then) -> None:
        """Make the namespace, empty."""
        self._make(blobref(encode(make_dir()), kind), userid, then)

    def recreate(self, rootref: str, userid: int, then: Then) -> None:
        """Make the namespace with the content that a job had before a restart."""
        self._fresh = False
        self._make(rootref, userid, then)

    def _make(self, rootref: str, userid: int, then: Then) -> None:
        self._exists = self._busy = True
        self._rootref = rootref
        payload = {"namespace": self.name, "rootref": rootref, "owner": userid, "flags": 0}
        self._flux.rpc("kvs.namespace-create", payload).then(partial(self._made, then))

    def _made(self, then: Then, answer: Message) -> None:
        error = _error(answer)
        if error is not None and error.errno != errno.EEXIST:
            self._exists = False
        self._busy, closing = False, self._closing
        then(error)
        if closing is not None:
            self.close(closing)

    # -- records ---------------------------------------------------------------------------

    def touch(self) -> None:
        """There may be something to commit soon."""
        if self._closing is not None:
            return
        if self._records.log:
            self._flusher.touch(self)
        elif not self._busy:
            # Output that is not for the log: cut off by the limit, or gone to a file.
            self._written(self._records.take_credits())

    def flush(self) -> None:
        """Commit what has been gathered, once the commit before has been answered."""
        if self._busy or not self._exists or not self._flux.connected:
            return
        if not self._linked:
            self._linked = True
            self._put_primary(ops.symlink(self._key, ".", self.name), self._ignore)
        taken = self._records.take_credits()
        payload = {"namespace": self.name, "flags": 0, "ops": self._records.log.take()}
        self._busy, self._fresh = True, False
        self._flux.rpc("kvs.commit", payload).then(partial(self._committed, taken))

    def _committed(self, taken: dict[int, int], answer: Message) -> None:
        self._busy = False
        if answer.errnum:
            if answer.errnum == errno.ENOTSUP:
                self._rootref = ""  # somebody has removed it; else what was there before is there
            self._complain(f"commit to {self.name}", _error(answer))
        else:
            self._rootref = answer.json["rootref"]
        if taken:
            self._written(taken)
        if self._closing is not None:
            self._close()
        else:
            self.touch()

    def _put_primary(self, op: ops.Op, then: Callable[[], None]) -> None:
        def done(error: OSError | None) -> None:
            if error is not None:
                self._complain(f"commit {self._key}", error)
            then()

        self._primary.put(op, done)

    def _ignore(self) -> None:
        """Nobody waits for the link."""

    def _complain(self, what: str, error: OSError | None) -> None:
        text = error.strerror if error is not None else ""
        self._flux.log(LOG_ERR, f"{f58(self._id)}: {what}: {text}")

    # -- the end ---------------------------------------------------------------------------

    def close(self, then: Callable[[], None]) -> None:
        """Keep all in the primary namespace, remove this one, call ``then``."""
        self._closing = then
        self._flusher.forget(self)
        if self._busy:
            return
        if self._exists:
            self._close()
        else:
            then()

    def _close(self) -> None:
        if self._fresh:
            # Nothing of ours is in the namespace; perhaps the tasks have put something there.
            payload = {"namespace": self.name}
            self._flux.rpc("kvs.getroot", payload).then(self._looked_at)
        elif self._records.log:
            self.flush()
        else:
            self._keep(make_dirref(self._rootref) if self._rootref else None)

    def _looked_at(self, answer: Message) -> None:
        if not answer.errnum and answer.json["rootref"] == self._rootref:
            self._keep(self._records.log.take_tree())
        else:
            self.flush()

    def _keep(self, tree: Treeobj | None) -> None:
        if tree is None:
            self._kept()
        else:
            self._put_primary(ops.put_treeobj(self._key, tree), self._kept)

    def _kept(self) -> None:
        then = self._closing
        assert then is not None
        self._flux.notify("kvs.namespace-remove", {"namespace": self.name})
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
