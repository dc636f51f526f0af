"""The broker's log, alive."""

from fluxcore.handle.logline import LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING, SEVERITIES
from fluxtop.bindings import bindings
from fluxtop.data.log import LogBatch, LogModel, LogRow, LogWatch
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.panes.pane import Pane
from fluxtop.present import log as present
from fluxtop.widgets.table import Table

#: The levels to go through: all, then less and less.
_LEVELS = (LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR)


class LogPane(Pane):
    """Log lines as they come; a pause keeps the place while they do."""

    ID = "log"
    EMPTY = "no lines yet"
    BINDINGS = bindings("log")

    def __init__(self, desk: Desk) -> None:
        self._model = LogModel()
        self._rank = 0
        self._table: Table[LogRow] = Table(
            present.COLUMNS,
            self._model.rows,
            lambda row: row.seq,
            present.present,
            glyphs=desk.glyphs,
        )
        self._table.tail = True
        super().__init__(desk, self._table)
        self._table.say(self.EMPTY)

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the log."""
        self.follow("log", LogWatch(self._rank), self._take)

    def told_trouble(self, _trouble: Trouble) -> None:
        """The lines are old ones."""
        self.mark_stale(True)

    def _take(self, batch: LogBatch) -> None:
        self.mark_stale(False)
        self._model.apply(batch)
        self._table.update()
        self.refresh_subtitle()

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """The rank, the level, and whether new lines are followed."""
        parts = [f"rank {self._rank}"]
        if self._model.level < LOG_DEBUG:
            parts.append(f"{SEVERITIES[self._model.level]} and worse")
        if not self._table.tail:
            parts.append("paused")
        return ", ".join(parts)

    def has_row(self) -> bool:
        """True if a line is under the cursor."""
        return self._table.row is not None

    def filter(self, text: str) -> None:
        """Show only lines that contain ``text``."""
        self._model.show(needle=text)
        self._table.update()

    def mark_stale(self, stale: bool) -> None:
        """Grey while the log cannot be followed."""
        self._table.mark(stale=stale)

    def on_table_moved(self) -> None:
        """Moving away from the last line is a pause too."""
        self.refresh_subtitle()

    # -- actions ---------------------------------------------------------------------------

    def action_log_pause(self) -> None:
        """Keep the place, or follow again."""
        self._table.tail = not self._table.tail
        self._table.update()
        self.refresh_subtitle()

    def on_table_chosen(self) -> None:
        """A line was clicked twice."""
        self.action_log_open()

    def action_log_open(self) -> None:
        """Show the whole line: the table cuts long ones."""
        row = self._table.row
        if row is not None:
            entry = row.entry
            title = f"{entry.timestamp} {entry.app}.{SEVERITIES[entry.severity]}[{entry.rank}]"
            self.notify(entry.text, title=title, timeout=60, markup=False)

    def notice(self) -> str:
        """What stands where lines would be."""
        return "nothing matches" if self._model.level < LOG_DEBUG else super().notice()

    def action_log_level(self) -> None:
        """Show less; after errors only, all again."""
        at = _LEVELS.index(self._model.level)
        self._model.show(level=_LEVELS[(at + 1) % len(_LEVELS)])
        self._table.say(self.notice())
        self._table.update()
        self.refresh_subtitle()

    def action_log_rank(self) -> None:
        """Show the log of the chosen rank, or of rank 0 again."""
        self._rank = self.desk.chosen_rank if self._rank == 0 else 0
        self._model.rows.clear()
        self._table.update()
        if self.on_screen:
            self.start()
        self.refresh_subtitle()
