"""The tree of brokers, alive."""

from textual.message import Message

from fluxtop.bindings import bindings
from fluxtop.data.tbon import Health, HealthWatch, Topology, TopologyWatch
from fluxtop.data.tbon_model import TbonModel, TbonRow
from fluxtop.desk import Desk
from fluxtop.panes.folding import Folding
from fluxtop.panes.pane import Pane
from fluxtop.present import tbon as present
from fluxtop.widgets.table import Table


class TbonPane(Pane):
    """Brokers, their states, and how long they have been in them."""

    ID = "tbon"
    BINDINGS = bindings("tbon")

    class RankChosen(Message):
        """The user wants to see the modules of a rank."""

        def __init__(self, rank: int) -> None:
            super().__init__()
            self.rank = rank

    def __init__(self, desk: Desk) -> None:
        self._model = TbonModel()
        self._table: Table[TbonRow] = Table(
            present.COLUMNS,
            self._model.rows,
            lambda row: row.key,
            lambda row: present.present(row, desk.now, desk.glyphs, desk.chosen_rank),
            glyphs=desk.glyphs,
        )
        self._folding = Folding(self._table, lambda: self._model.rows, self._turn)
        super().__init__(desk, self._table)
        self._table.say("asking for the tree of brokers")

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the topology, and the health of the root and of what is unfolded."""
        self.follow("topology", TopologyWatch(), self._take_topology)
        self._follow_health()

    def _take_topology(self, topology: Topology) -> None:
        self._model.set_topology(topology)
        self._changed()

    def _take_health(self, health: Health) -> None:
        self._model.set_health(health, self.desk.now)
        self._changed()

    def _changed(self) -> None:
        self._table.update(self._model.rows)
        self._follow_health()
        self.refresh_subtitle()

    def _follow_health(self) -> None:
        wanted = {f"health {rank}": rank for rank in self._model.wanted()}
        followed = {name for name in self.followed if name.startswith("health ")}
        for name in followed - set(wanted):
            self.unfollow(name)
        for name in set(wanted) - followed:
            self.follow(name, HealthWatch(wanted[name]), self._take_health)

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """How many brokers are in which state, if not all are well."""
        counts = self._model.counts()
        ill = [f"{n} {status}" for status, n in sorted(counts.items()) if status != "full"]
        return ", ".join(ill) if ill else f"{self._model.size} full" if self._model.size else ""

    def has_row(self) -> bool:
        """True if a broker is under the cursor."""
        return self._table.row is not None

    def tick(self) -> None:
        """Times in state grow."""
        self._table.refresh_rows()

    def filter(self, text: str) -> None:
        """Show only brokers that match."""
        self._model.filter(text)
        self._changed()

    def mark_stale(self, stale: bool) -> None:
        """Grey while the connection is lost."""
        self._table.mark(stale=stale)

    # -- actions ---------------------------------------------------------------------------

    def on_table_chosen(self) -> None:
        """A broker was clicked twice."""
        self.action_tbon_open()

    def action_tbon_open(self) -> None:
        """Show the modules of the broker; unfold a group."""
        row = self._table.row
        if row is None:
            return
        if len(row.ranks) > 1:
            self._turn(row, not row.expanded)
        else:
            self.post_message(self.RankChosen(row.rank))

    def action_tbon_unfold(self) -> None:
        """Show what is below."""
        self._folding.unfold()

    def action_tbon_fold(self) -> None:
        """Hide what is below, or go to the broker above."""
        self._folding.fold()

    def _turn(self, row: TbonRow, expanded: bool) -> None:
        self._model.turn(row.key, expanded)
        self._changed()
