"""One watcher of a key: what it looks up and what it tells (CONTRACTS C9).

Theory of operation: a change of the namespace's root that may concern the key makes the watcher
look the key up in that root. Lookups may be answered in any order, so each has a
:class:`Slot`, and what has come is handled from the oldest slot on: answers are in commit order.
With APPEND or STREAM a lookup only tells which blobs the value is made of; those not yet told
are loaded, again each with a slot, and told one by one.

There is no IO here. An input returns the actions that the shell is to carry out, and an input
to a finished watcher returns none.
"""

import errno
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.key import normalize
from fluxcore.kvs.lookup import TREEOBJ
from fluxcore.kvs.treeobj import Treeobj, make_val

#: Tell of each change; without it only the first value is told.
WATCH: Final = 4
#: A key or namespace that is not there yet is waited for.
WAITCREATE: Final = 8
#: Look at every commit, not only at those that name the key; tell what differs.
WATCH_FULL: Final = 64
#: Tell a value only if it differs from the one before.
WATCH_UNIQ: Final = 128
#: Tell each piece that was appended, once.
WATCH_APPEND: Final = 256
#: Tell the value piece by piece, then end.
STREAM: Final = 512
#: Tell with an empty answer that all that was there at first has been told.
INITIAL_SENTINEL: Final = 1024

_WATCH_ONLY: Final = WATCH_FULL | WATCH_UNIQ | WATCH_APPEND | INITIAL_SENTINEL


@dataclass(frozen=True, slots=True)
class Root:
    """A namespace's root. ``keys`` are those that its commit named."""

    rootref: str
    rootseq: int
    keys: Collection[str] = ()


@dataclass(slots=True, eq=False)
class Slot:
    """The place of an answer that may come out of turn."""

    result: Any = None
    ready: bool = False
    #: The lookup is the first one, or the load the last one of what was there at first.
    initial: bool = False


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look ``key`` up with ``flags`` by kvs.lookup-plus, in ``root`` or, if None, in what the
    namespace's root is then; give what it answers to looked_up.
    """

    slot: Slot
    key: str
    flags: int
    root: Root | None


@dataclass(frozen=True, slots=True)
class Load:
    """Load blob ``ref``; give it to loaded."""

    slot: Slot
    ref: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Answer with ``val``, with nothing if it is None."""

    val: Treeobj | None


@dataclass(frozen=True, slots=True)
class End:
    """Answer with a failure; nothing comes after it."""

    errnum: int
    text: str | None = None


Action = LookUp | Load | Tell | End


def check_flags(flags: int, *, streaming: bool) -> None:
    """Refuse flags that do not go together.

    :raises OSError: EPROTO, EINVAL with the contract's text
    """
    if flags & WATCH and not streaming:
        raise kvs_error(errno.EPROTO, "KVS watch request rejected without streaming RPC flag")
    if flags & STREAM and not streaming:
        raise kvs_error(errno.EPROTO, "KVS stream request rejected without streaming RPC flag")
    if flags & WATCH and flags & STREAM:
        raise kvs_error(errno.EINVAL, "Cannot KVS watch and stream at the same time")
    if not flags & WATCH and flags & _WATCH_ONLY:
        raise kvs_error(errno.EINVAL, "Must set KVS watch flag with other watch flags")
    if not flags & WATCH_APPEND and flags & INITIAL_SENTINEL:
        text = "Must set KVS watch append flag with initial sentinel flag"
        raise kvs_error(errno.EINVAL, text)


@dataclass(slots=True, eq=False)
class Watcher:
    """A watcher of ``key`` for ``userid``, None being the instance's owner."""

    key: str
    flags: int
    userid: int | None = None
    finished: bool = False
    #: The sequence number of the root last looked at, -1 before the first.
    rootseq: int = -1
    _lookups: deque[Slot] = field(default_factory=deque)
    _loads: deque[Slot] = field(default_factory=deque)
    _first_rootseq: int = -1
    _told: int = 0
    _sentinel_told: bool = False
    _last: Treeobj | None = None
    #: The index of the last piece that was told or is being loaded.
    _last_piece: int = -1
    _out: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = normalize(self.key)

    # -- inputs ----------------------------------------------------------------------------

    def root_changed(self, root: Root) -> list[Action]:
        """The namespace's root is ``root``, which may concern the key."""
        if self.finished or root.rootseq <= self.rootseq:
            return []
        slot = Slot(initial=self.rootseq < 0)
        self._lookups.append(slot)
        self.rootseq = root.rootseq
        flags = self.flags | TREEOBJ if self._by_pieces else self.flags
        return [LookUp(slot, self.key, flags, None if slot.initial else root)]

    def looked_up(self, slot: Slot, result: dict[str, Any] | OSError) -> list[Action]:
        """The lookup of ``slot`` was answered: by kvs.lookup-plus's payload or a failure."""
        slot.result, slot.ready = result, True
        while self._lookups and self._lookups[0].ready and not self.finished:
            self._handle_lookup(self._lookups.popleft())
            self._end_if_done()
        return self._take()

    def loaded(self, slot: Slot, result: bytes | OSError) -> list[Action]:
        """The blob of ``slot`` was loaded, or could not be."""
        slot.result, slot.ready = result, True
        while self._loads and self._loads[0].ready and not self.finished:
            self._handle_load(self._loads.popleft())
            self._end_if_done()
        return self._take()

    def end(self, errnum: int) -> list[Action]:
        """Fail with ``errnum``: it was cancelled (ENODATA), its namespace is gone."""
        if not self.finished:
            self._fail(errnum)
        return self._take()

    # -- one answer ------------------------------------------------------------------------

    def _handle_lookup(self, slot: Slot) -> None:
        answer = slot.result
        if isinstance(answer, OSError):
            self._fail(answer.errno or errno.EINVAL)
            return
        if slot.initial:
            self._first_rootseq = answer["rootseq"]
        elif answer["rootseq"] <= self._first_rootseq:
            return  # the first lookup has seen a later root than this one's
        if "val" in answer:
            self._handle_value(answer["val"], initial=slot.initial)
        elif self._told or not self.flags & WAITCREATE:
            self._fail(answer["errno"])
        elif slot.initial:
            self._tell_sentinel()

    def _handle_value(self, val: Treeobj, *, initial: bool) -> None:
        if self._by_pieces:
            if self._last_piece < 0:
                self._first_pieces(val, initial=initial)
            else:
                self._more_pieces(val)
        elif not self.flags & (WATCH_FULL | WATCH_UNIQ) or val != self._last:
            self._last = val
            self._tell(val)

    # -- a value by its pieces -------------------------------------------------------------

    @property
    def _by_pieces(self) -> bool:
        return bool(self.flags & (WATCH_APPEND | STREAM))

    def _first_pieces(self, val: Treeobj, *, initial: bool) -> None:
        kind = val["type"]
        if kind == "val":  # nothing was appended to it yet
            self._last_piece = 0
            self._tell(val)
            self._tell_sentinel()
        elif kind == "valref":
            self._load_up_to(val["data"])
            self._loads[-1].initial = initial
        else:
            how = "watched with WATCH_APPEND" if self.flags & WATCH_APPEND else "streamed"
            errnum = errno.EISDIR if kind in ("dir", "dirref") else errno.EINVAL
            self._fail(errnum, f"{kind} cannot be {how}")

    def _more_pieces(self, val: Treeobj) -> None:
        if self.flags & STREAM:
            return
        if val["type"] != "valref":
            self._fail(errno.EINVAL, "value of key watched with WATCH_APPEND overwritten")
        elif len(val["data"]) <= self._last_piece:
            how = "shortened" if self._told else "truncated"
            self._fail(errno.EINVAL, f"key watched with WATCH_APPEND {how}")
        else:
            self._load_up_to(val["data"])

    def _load_up_to(self, refs: list[str]) -> None:
        for ref in refs[self._last_piece + 1 :]:
            slot = Slot()
            self._loads.append(slot)
            self._out.append(Load(slot, ref))
        self._last_piece = len(refs) - 1

    def _handle_load(self, slot: Slot) -> None:
        if isinstance(slot.result, OSError):
            self._fail(slot.result.errno or errno.EINVAL, "failed to load content data")
            return
        self._tell(make_val(slot.result))
        if slot.initial:
            self._tell_sentinel()

    # -- answers ---------------------------------------------------------------------------

    def _tell(self, val: Treeobj) -> None:
        self._told += 1
        self._out.append(Tell(val))

    def _tell_sentinel(self) -> None:
        if self.flags & INITIAL_SENTINEL and not self._sentinel_told:
            self._sentinel_told = True
            self._out.append(Tell(None))

    def _fail(self, errnum: int, text: str | None = None) -> None:
        self.finished = True
        self._out.append(End(errnum, text))

    def _end_if_done(self) -> None:
        if self.finished or not self._told:
            return
        if self.flags & STREAM and self._told == self._last_piece + 1:
            self._fail(errno.ENODATA)
        elif not self.flags & (WATCH | STREAM):
            self.finished = True

    def _take(self) -> list[Action]:
        out, self._out = self._out, []
        return out
