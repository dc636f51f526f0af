"""The commits of one namespace, one at a time, those that may be merged together (CONTRACTS C2).

::

    add -> waiting -> start -> running -> done
                        |         |
              merges its neighbours   failed: a merged one falls back into its parts,
                                      which then run one by one
"""

import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from fluxcore.kvs.ops import NO_MERGE, SYNC

#: Failures that would be the same for each part.
_FINAL: Final = frozenset({errno.ENOMEM, errno.ENOTSUP})


@dataclass(slots=True)
class Commit:
    """Transactions that are applied and answered together.

    ``publish`` is False for the checkpoint of a root that nobody asked for.
    """

    names: list[str]
    ops: list[object]
    flags: int = 0
    publish: bool = True
    #: The commits that it was merged of, if it was.
    parts: list["Commit"] = field(default_factory=list)

    def may_merge(self) -> bool:
        """True unless its sender said otherwise; a SYNC is for one commit's root."""
        return not self.flags & (NO_MERGE | SYNC)

    def same_way(self, other: "Commit") -> bool:
        """True if ``other`` can go into one transaction with this one."""
        same = self.flags == other.flags and self.publish == other.publish
        return same and other.may_merge()


def merge(parts: list[Commit]) -> Commit:
    """One commit of all ``parts``, in their order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = [name for part in parts for name in part.names]
    ops = [op for part in parts for op in part.ops]
    return Commit(names, ops, first.flags, first.publish, parts)


class CommitQueue:
    """Commits that wait for their turn and the one that has it."""

    __slots__ = ("_waiting", "merging", "running")

    def __init__(self) -> None:
        self._waiting: deque[Commit] = deque()
        self.running: Commit | None = None
        #: False runs each commit alone (module option transaction-merge=0).
        self.merging = True

    def __len__(self) -> int:
        return len(self._waiting) + (self.running is not None)

    def add(self, commit: Commit) -> None:
        """Let ``commit`` wait for its turn."""
        self._waiting.append(commit)

    def start(self) -> Commit | None:
        """The next commit, merged with those after it where that is possible.

        None if there is none or one is running.
        """
        if self.running is not None or not self._waiting:
            return None
        first = self._waiting[0]
        parts = [first]
        if self.merging and first.may_merge():
            parts = list(takewhile(first.same_way, self._waiting))
        for _ in parts:
            self._waiting.popleft()
        self.running = merge(parts)
        return self.running

    def done(self) -> None:
        """The running commit has come to its end."""
        assert self.running is not None
        self.running = None

    def failed(self, errnum: int) -> list[str]:
        """The running commit has failed with ``errnum``.

        :returns: the names to fail with it; none if its parts get their turn one by one
        """
        commit = self.running
        assert commit is not None
        self.running = None
        if not commit.parts or errnum in _FINAL:
            return commit.names
        self._put_back(commit.parts)
        return []

    def _put_back(self, parts: Iterable[Commit]) -> None:
        for part in reversed(list(parts)):
            part.flags |= NO_MERGE
            self._waiting.appendleft(part)

    def drop(self) -> list[str]:
        """Drop all that wait: the namespace is gone; their names."""
        names = [name for commit in self._waiting for name in commit.names]
        self._waiting.clear()
        return names
