"""A namespace's directories laid out as the rows of a tree, read as they are unfolded."""

from collections.abc import Iterator
from dataclasses import dataclass

from fluxcore.kvs.key import ROOT, join
from fluxtop.data.kvs import Entry, Listing
from fluxtop.data.tree import Branch, TreeRows
from fluxtop.data.trouble import Trouble


@dataclass(frozen=True, slots=True)
class KvsRow:
    """A key: its entry in the directory above it, and how it is shown."""

    key: str
    branch: Branch
    entry: Entry
    expanded: bool | None
    loading: bool = False
    trouble: Trouble | None = None


class KvsModel:
    """The listings that are known, what is unfolded, and the rows that follow from both."""

    def __init__(self) -> None:
        self._listings: dict[str, Listing] = {}
        self._open: set[str] = {ROOT}
        self._needle = ""
        self.rows: TreeRows[KvsRow] = TreeRows()

    # -- what comes in ---------------------------------------------------------------------

    def apply(self, listing: Listing) -> bool:
        """Take a listing; False if it says nothing new."""
        if self._listings.get(listing.key) == listing:
            return False
        self._listings[listing.key] = listing
        self._layout()
        return True

    def turn(self, key: str, expanded: bool) -> None:
        """Unfold or fold a directory; a folded one is forgotten, with all that is below it."""
        if expanded:
            self._open.add(key)
        else:
            gone = {k for k in self._open if k == key or k.startswith(f"{key}.")}
            self._open -= gone
            for k in gone:
                self._listings.pop(k, None)
        self._layout()

    def filter(self, text: str) -> None:
        """Show only keys that contain ``text``, and the directories that lead to them."""
        self._needle = text.lower()
        self._layout()

    # -- what is asked ---------------------------------------------------------------------

    def wanted(self) -> frozenset[str]:
        """The directories to follow: those that are unfolded."""
        return frozenset(self._open)

    # -- laying out ------------------------------------------------------------------------

    def _layout(self) -> None:
        self.rows = TreeRows(self._walk(ROOT, ()))

    def _walk(self, directory: str, branch: Branch) -> Iterator[KvsRow]:
        listing = self._listings.get(directory)
        entries = self._matching(directory, listing.entries) if listing else []
        for at, entry in enumerate(entries):
            key = join(directory, entry.name)
            here = (*branch, at + 1 < len(entries))
            yield self._row(key, here, entry)
            if key in self._open:
                yield from self._walk(key, here)

    def _row(self, key: str, branch: Branch, entry: Entry) -> KvsRow:
        is_open = key in self._open
        listing = self._listings.get(key) if is_open else None
        return KvsRow(
            key=key,
            branch=branch,
            entry=entry,
            expanded=is_open if entry.kind == "dir" else None,
            loading=is_open and listing is None,
            trouble=listing.trouble if listing else None,
        )

    def _matching(self, directory: str, entries: tuple[Entry, ...]) -> list[Entry]:
        if not self._needle:
            return list(entries)
        return [e for e in entries if self._matches(join(directory, e.name), e)]

    def _matches(self, key: str, entry: Entry) -> bool:
        if self._needle in key.lower():
            return True
        listing = self._listings.get(key) if entry.kind == "dir" and key in self._open else None
        below = listing.entries if listing else ()
        return any(self._matches(join(key, e.name), e) for e in below)
