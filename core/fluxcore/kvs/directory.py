"""Directories in memory.

The hot case is one commit after the other into one directory of a thousand keys and more. Each
makes a new version of the directory and of its blob, so the work that must not grow is the
Python work per entry. An edited directory is therefore kept as two parallel lists, its names in
order and each entry's canonical text. A new version copies the lists (the texts are shared),
replaces or inserts one item found by bisection, and joins the texts: all in C. A directory that
came as a blob and is only read is never taken apart beyond its JSON.
"""

import errno
from bisect import bisect_left
from functools import lru_cache
from typing import Final, cast

import orjson

from fluxcore.kvs.blobref import DEFAULT_HASH, HashType, blobref
from fluxcore.kvs.errors import kvs_error
from fluxcore.kvs.treeobj import (
    INLINE_MAX,
    Treeobj,
    dirref_text,
    encode,
    is_valid,
    kind_of,
    load_json,
)

_HEAD: Final = b'{"data":{'
_TAIL: Final = b'},"type":"dir","ver":1}'
EMPTY_BLOB: Final = _HEAD + _TAIL
#: Names of so many characters are remembered as they stand in directories.
_SHORT: Final = 64

#: The names in a directory, in order, and their texts (see :func:`entry_text`).
Lists = tuple[list[str], list[bytes]]


class Directory:
    """A directory as it is stored: it never changes.

    ``blob`` is its dir object, which for an edited directory is canonical.
    """

    __slots__ = ("_checked", "_entries", "_names", "_texts", "blob")

    def __init__(self, blob: bytes, names: list[str] | None, texts: list[bytes] | None) -> None:
        """Made by :meth:`decode` and :meth:`Draft.finish`."""
        self.blob = blob
        self._names = names
        self._texts = texts
        self._entries: dict[str, Treeobj] | None = None
        self._checked = names is not None

    @classmethod
    def decode(cls, blob: bytes) -> "Directory":
        """The directory in ``blob``.

        :raises OSError: EPROTO, there is none
        """
        obj = load_json(blob)
        if kind_of(obj) != "dir":
            raise kvs_error(errno.EPROTO)
        data = cast(Treeobj, obj)["data"]
        if type(data) is not dict:
            raise kvs_error(errno.EPROTO)
        directory = cls(blob, None, None)
        directory._entries = data
        return directory

    def get(self, name: str) -> Treeobj | None:
        """The entry called ``name``, None if there is none.

        :raises OSError: ENOTRECOVERABLE, the entry is no tree object
        """
        if self._entries is not None:
            return self._get_decoded(name)
        assert self._names is not None
        assert self._texts is not None
        text = find_text(self._names, self._texts, name)
        return None if text is None else orjson.loads(text)

    def _get_decoded(self, name: str) -> Treeobj | None:
        assert self._entries is not None
        obj = self._entries.get(name)
        if obj is not None and not self._checked and not is_valid(obj):
            raise kvs_error(errno.ENOTRECOVERABLE)
        return obj

    def entries(self) -> dict[str, Treeobj]:
        """All entries by name; not to be changed.

        :raises OSError: ENOTRECOVERABLE, one is no tree object
        """
        if self._entries is None:
            self._entries = orjson.loads(self.blob)["data"]
        if not self._checked:
            if not all(map(is_valid, self._entries.values())):
                raise kvs_error(errno.ENOTRECOVERABLE)
            self._checked = True
        return self._entries

    def lists(self) -> Lists | None:
        """Its names in order and their texts, for a new version to copy.

        None if there are none yet or an entry is not as a transaction would store it: then the
        new version is built entry by entry.
        """
        if self._names is None or self._texts is None:
            self._take_apart()
        if self._names is None or self._texts is None:
            return None
        return self._names, self._texts

    def _take_apart(self) -> None:
        entries = self.entries()
        if any(map(must_be_stored_apart, entries.values())):
            return
        self._names = sorted(entries)
        self._texts = [entry_text(name, encode(entries[name])) for name in self._names]


def must_be_stored_apart(obj: Treeobj) -> bool:
    """True for what a transaction puts into a blob of its own: directories, large values."""
    kind = obj["type"]
    return kind == "dir" or (kind == "val" and len(obj["data"]) > INLINE_MAX)


# A job's directories are written again and again.
_quoted_short: Final = lru_cache(4096)(encode)


def entry_text(name: str, text: bytes) -> bytes:
    """How an entry stands in its directory: its name and its canonical form."""
    quoted = _quoted_short(name) if len(name) <= _SHORT else encode(name)
    return b"%b:%b" % (quoted, text)


def find_text(names: list[str], texts: list[bytes], name: str) -> bytes | None:
    """The canonical form of entry ``name`` in the two lists of a directory."""
    at = bisect_left(names, name)
    if at == len(names) or names[at] != name:
        return None
    return texts[at][len(orjson.dumps(name)) + 1 :]  # as long as its canonical form


_NO_ENTRIES: Final[Lists] = ([], [])
#: What a new directory starts from.
EMPTY: Final = Directory(EMPTY_BLOB, *_NO_ENTRIES)


class Draft:
    """A directory that a transaction is changing.

    ``children`` are the subdirectories that the transaction has opened or made; each hides the
    entry of its name until it is finished and its reference put in the entry's place.
    """

    __slots__ = ("_base", "_names", "_own", "_texts", "changed", "children")

    def __init__(self, base: Directory, lists: Lists) -> None:
        """Made by :meth:`of`."""
        self._base = base
        self._names, self._texts = lists
        self._own = False
        self.changed = False
        self.children: dict[str, Draft] = {}

    @classmethod
    def of(cls, base: Directory) -> "Draft | None":
        """One that starts from ``base``; None if that has no :meth:`Directory.lists`."""
        lists = base.lists()
        return None if lists is None else cls(base, lists)

    @classmethod
    def new(cls) -> "Draft":
        """One without entries, which counts as a change."""
        draft = cls(EMPTY, _NO_ENTRIES)
        draft.changed = True
        return draft

    def get(self, name: str) -> bytes | None:
        """The canonical form of entry ``name``, None if there is none.

        Children are not looked at.
        """
        return find_text(self._names, self._texts, name)

    def put(self, name: str, text: bytes) -> None:
        """Set entry ``name`` to the tree object whose canonical form is ``text``."""
        self.children.pop(name, None)
        self._change()
        at = bisect_left(self._names, name)
        item = entry_text(name, text)
        if at < len(self._names) and self._names[at] == name:
            self._texts[at] = item
        else:
            self._names.insert(at, name)
            self._texts.insert(at, item)

    def open(self, name: str, base: Directory) -> "Draft | None":
        """The child ``name``, which starts from ``base``, its entry's directory; see :meth:`of`."""
        child = Draft.of(base)
        if child is not None:
            self.children[name] = child
        return child

    def make(self, name: str) -> "Draft":
        """A new, empty child ``name`` in place of whatever is there."""
        child = self.children[name] = Draft.new()
        return child

    def delete(self, name: str) -> None:
        """Remove ``name`` if it is there."""
        self.children.pop(name, None)
        at = bisect_left(self._names, name)
        if at < len(self._names) and self._names[at] == name:
            self._change()
            del self._names[at]
            del self._texts[at]

    def _change(self) -> None:
        self.changed = True
        if not self._own:
            self._names = self._names.copy()
            self._texts = self._texts.copy()
            self._own = True

    def finish(self) -> Directory:
        """The directory it has become; its children must be finished and put before."""
        if not self.changed:
            return self._base
        blob = b"".join((_HEAD, b",".join(self._texts), _TAIL))
        return Directory(blob, self._names, self._texts)


def finish_all(root: Draft, kind: HashType = DEFAULT_HASH) -> list[tuple[str, Directory]]:
    """Finish ``root`` and what is open below it, children first.

    :returns: each changed directory under its blobref; the last one is the root's, if any
    """
    order: list[tuple[Draft, str, Draft | None]] = [(root, "", None)]
    for draft, _, _ in order:
        order.extend((child, name, draft) for name, child in draft.children.items())
    done: list[tuple[str, Directory]] = []
    for draft, name, parent in reversed(order):
        if draft.changed:
            directory = draft.finish()
            ref = blobref(directory.blob, kind)
            done.append((ref, directory))
            if parent is not None:
                parent.put(name, dirref_text(ref))
    return done
