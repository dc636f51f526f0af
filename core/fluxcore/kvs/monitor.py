"""The watchers of one namespace (CONTRACTS C9, C10).

A commit concerns the watchers of the keys that it names, and those that look at every commit;
the others are not looked at, however many there are. There is no IO here: an input returns the
actions that the shell is to carry out, each with its watcher.
"""

import errno
from collections.abc import Iterable

from fluxcore.kvs.watch import WAITCREATE, WATCH_FULL, Action, Root, Slot, Watcher

Actions = list[tuple[Watcher, Action]]


class Monitor:
    """What is known of a namespace, and who watches it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner: int | None = None
        self.root: Root | None = None
        self._missing = 0  # the errno of the root's request, if it failed
        self._watchers: dict[Watcher, None] = {}
        self._full: dict[Watcher, None] = {}
        self._by_key: dict[str, dict[Watcher, None]] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    # -- watchers --------------------------------------------------------------------------

    def add(self, watcher: Watcher) -> Actions:
        """Let ``watcher`` begin as soon as the root is known."""
        self._watchers[watcher] = None
        if watcher.flags & WATCH_FULL:
            self._full[watcher] = None
        else:
            self._by_key.setdefault(watcher.key, {})[watcher] = None
        if self.root is not None:
            return self._begin([watcher], self.root)
        if self._missing:
            return self._fail([watcher], self._missing)
        return []

    def cancel(self, watcher: Watcher) -> Actions:
        """End ``watcher``, whose client has asked for it: ENODATA."""
        return self._ended(watcher, watcher.end(errno.ENODATA))

    def drop(self, watcher: Watcher) -> None:
        """Forget ``watcher``, whose client is gone: nothing more is told."""
        watcher.end(errno.ENODATA)
        self._forget(watcher)

    def looked_up(
        self, watcher: Watcher, slot: Slot, result: dict[str, object] | OSError
    ) -> Actions:
        """A lookup was answered."""
        return self._ended(watcher, watcher.looked_up(slot, result))

    def loaded(self, watcher: Watcher, slot: Slot, result: bytes | OSError) -> Actions:
        """A load was answered."""
        return self._ended(watcher, watcher.loaded(slot, result))

    # -- the namespace ---------------------------------------------------------------------

    def got_root(self, root: Root, owner: int) -> Actions:
        """kvs.getroot was answered, or the namespace was created just now."""
        if self.root is not None:
            return []
        return self._first_root(root, owner)

    def no_root(self, errnum: int) -> Actions:
        """kvs.getroot has failed."""
        if self.root is not None:
            return []
        self._missing = errnum
        return self._fail(self._watchers, errnum)

    def set_root(self, root: Root, owner: int) -> Actions:
        """A commit has made ``root`` (the setroot event)."""
        if self.root is None:
            return self._first_root(root, owner)
        if root.rootseq <= self.root.rootseq:
            return []
        self.root = root
        out: Actions = []
        for watcher in self._concerned(root.keys):
            out += self._ended(watcher, watcher.root_changed(root))
        return out

    def removed(self) -> Actions:
        """The namespace is gone: ENOTSUP for all."""
        out: Actions = []
        for watcher in list(self._watchers):
            out += self._ended(watcher, watcher.end(errno.ENOTSUP))
        return out

    def _concerned(self, keys: Iterable[str]) -> list[Watcher]:
        found = list(self._full)
        for key in keys:
            found += self._by_key.get(key, ())
        return found

    def _first_root(self, root: Root, owner: int) -> Actions:
        self.root = root
        self.owner = owner
        self._missing = 0
        return self._begin(self._watchers, root)

    def _begin(self, watchers: Iterable[Watcher], root: Root) -> Actions:
        out: Actions = []
        for watcher in list(watchers):
            if watcher.userid in (None, self.owner):
                actions = watcher.root_changed(root)
            else:
                actions = watcher.end(errno.EPERM)
            out += self._ended(watcher, actions)
        return out

    def _fail(self, watchers: Iterable[Watcher], errnum: int) -> Actions:
        """End those that do not wait for the namespace to be created."""
        out: Actions = []
        for watcher in list(watchers):
            if errnum != errno.ENOTSUP or not watcher.flags & WAITCREATE:
                out += self._ended(watcher, watcher.end(errnum))
        return out

    def _ended(self, watcher: Watcher, actions: list[Action]) -> Actions:
        if watcher.finished:
            self._forget(watcher)
        return [(watcher, action) for action in actions]

    def _forget(self, watcher: Watcher) -> None:
        self._watchers.pop(watcher, None)
        self._full.pop(watcher, None)
        same_key = self._by_key.get(watcher.key)
        if same_key is not None:
            same_key.pop(watcher, None)
            if not same_key:
                del self._by_key[watcher.key]

    def validate_state(self) -> None:
        """Assert the invariants."""
        indexed = [*self._full, *(w for watchers in self._by_key.values() for w in watchers)]
        assert len(indexed) == len(self._watchers)
        assert set(indexed) == set(self._watchers)
        assert not any(watcher.finished for watcher in self._watchers)
        assert all(self._by_key.values())
