"""The key-value store as a tree."""

from textual.message import Message

from fluxcore.kvs.key import normalize
from fluxtop.bindings import bindings
from fluxtop.data.kvs import PRIMARY, Directories, KvsMessage, Listing, Root
from fluxtop.data.kvs_model import KvsModel, KvsRow
from fluxtop.desk import Desk
from fluxtop.panes.folding import Folding
from fluxtop.panes.pane import Pane
from fluxtop.present import kvs as present
from fluxtop.widgets.table import Table


class KvsPane(Pane):
    """Directories, unfolded as they are looked into; a key opens in the Value pane."""

    ID = "kvs"
    EMPTY = "nothing here"
    BINDINGS = bindings("kvs")

    class KeyOpened(Message):
        """The user wants to see the value of a key."""

        def __init__(self, namespace: str, key: str) -> None:
            super().__init__()
            self.space = namespace
            self.key = key

    def __init__(self, desk: Desk) -> None:
        self._namespace = PRIMARY
        self._model = KvsModel()
        self._root: Root | None = None
        self._table: Table[KvsRow] = Table(
            present.COLUMNS,
            self._model.rows,
            lambda row: row.key,
            lambda row: present.present(row, desk.glyphs),
            glyphs=desk.glyphs,
        )
        self._folding = Folding(self._table, lambda: self._model.rows, self._turn)
        super().__init__(desk, self._table)
        self._table.say("reading the root directory")

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the directories that are unfolded."""
        wanted = Directories(self._namespace, self._model.wanted())
        self.follow("directories", wanted, self._take)

    def _take(self, message: KvsMessage) -> None:
        if isinstance(message, Listing):
            if self._model.apply(message):
                self._table.say(self.notice())
                self._table.update(self._model.rows)
        else:
            self._root = message
        self.refresh_subtitle()

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """The namespace and the sequence number of its root."""
        return self._namespace if self._root is None else f"{self._namespace} v{self._root.rootseq}"

    def has_row(self) -> bool:
        """True if a key is under the cursor."""
        return self._table.row is not None

    def filter(self, text: str) -> None:
        """Show only keys that match."""
        self._model.filter(text)
        self._table.update(self._model.rows)

    def mark_stale(self, stale: bool) -> None:
        """Grey while the connection is lost."""
        self._table.mark(stale=stale)

    # -- actions ---------------------------------------------------------------------------

    def on_table_chosen(self) -> None:
        """A key was clicked twice."""
        self.action_kvs_open()

    def action_kvs_open(self) -> None:
        """Show the value of the key, or unfold or fold the directory."""
        row = self._table.row
        if row is None:
            return
        if row.expanded is None:
            self.post_message(self.KeyOpened(self._namespace, row.key))
        else:
            self._turn(row, not row.expanded)

    def action_kvs_unfold(self) -> None:
        """Show what is inside."""
        self._folding.unfold()

    def action_kvs_fold(self) -> None:
        """Hide what is inside, or go to the directory above."""
        self._folding.fold()

    def action_kvs_get(self, key: str = "") -> None:
        """Show the value of a key that was typed."""
        if key:
            self.post_message(self.KeyOpened(self._namespace, normalize(key)))
        else:
            self.post_message(self.ArgumentAsked("get "))

    def action_kvs_copy(self) -> None:
        """Copy the key."""
        row = self._table.row
        if row is not None:
            self.app.copy_to_clipboard(row.key)
            self.notify(f"copied {row.key}", markup=False)

    def _turn(self, row: KvsRow, expanded: bool) -> None:
        self._model.turn(row.key, expanded)
        self._table.update(self._model.rows)
        if self.on_screen:
            self.start()
