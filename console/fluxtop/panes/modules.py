"""The modules of a rank, and what can be done to them."""

import shlex
from collections.abc import Mapping
from dataclasses import replace

from fluxtop.bindings import bindings
from fluxtop.data.module_operations import (
    VITAL,
    DebugFlags,
    LoadModule,
    ReloadModule,
    RemoveModule,
    SearchPath,
    name_or_path,
    reload_target,
)
from fluxtop.data.modules import ModuleList, ModuleRow, ModulesOf, ModuleStats
from fluxtop.data.rows import Rows
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.modals.question import Command, Field, Question, arguments, number
from fluxtop.panes.pane import Pane
from fluxtop.present import modules as present
from fluxtop.widgets.table import Table


class ModulesPane(Pane):
    """What runs on the chosen rank: idle counts up and falls to 0 as messages pass."""

    ID = "modules"
    BINDINGS = bindings("modules")

    def __init__(self, desk: Desk) -> None:
        self._rows: Rows[str, ModuleRow] = Rows(lambda row: row.name)
        self._asked = desk.now
        self._order = 0
        self._brokers = 1
        #: Where the broker of each rank looks for modules; None while that is not known.
        self._search_paths: dict[int, str | None] = {}
        #: The arguments of modules that were loaded here, by rank and name or path, the latest
        #: last; a reload offers them again.
        self._arguments: dict[tuple[int, str], tuple[str, ...]] = {}
        self._table: Table[ModuleRow] = Table(
            present.COLUMNS,
            self._rows,
            lambda row: row.name,
            lambda row: present.present(row, desk.now - self._asked, desk.glyphs),
            glyphs=desk.glyphs,
        )
        super().__init__(desk, self._table)
        self._sort(0)

    # -- following -------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the modules of the chosen rank."""
        self._table.say(f"asking rank {self.desk.chosen_rank}")
        self.follow("modules", ModulesOf(self.desk.chosen_rank), self._take)

    def told_trouble(self, _trouble: Trouble) -> None:
        """The rows are what was loaded when the rank last answered."""
        self.mark_stale(True)

    def _take(self, modules: ModuleList) -> None:
        self.mark_stale(False)
        if modules.rank not in self._search_paths:
            self._search_paths[modules.rank] = None
            self.run_worker(self._read_search_path(modules.rank))
        before = {replace(row, idle=0) for row in self._rows.everything()}
        self._asked = self.desk.now
        self._rows.replace(modules.rows)
        self._table.say(self.notice())
        # Where only the idle times are others, the next tick draws them with all that counts up.
        if before != {replace(row, idle=0) for row in modules.rows}:
            self._table.update()
            self.refresh_subtitle()

    def choose_rank(self, rank: int) -> None:
        """Show the modules of another rank."""
        if rank != self.desk.chosen_rank:
            self.desk.chosen_rank = rank
            self._rows.clear()
            self._table.update()
        if self.on_screen:
            self.start()
        self.refresh_subtitle()

    def set_size(self, size: int) -> None:
        """The instance has ``size`` brokers."""
        self._brokers = size
        if self.desk.chosen_rank >= size:
            self.choose_rank(0)

    # -- showing ---------------------------------------------------------------------------

    def subtitle(self) -> str:
        """The rank, and how many modules it has."""
        count = f", {self._rows.total} modules" if self._rows.total else ""
        return f"rank {self.desk.chosen_rank}{count}"

    def has_row(self) -> bool:
        """True if a module is under the cursor."""
        return self._table.row is not None

    def tick(self) -> None:
        """Idle grows, or has fallen."""
        self._table.update()

    def filter(self, text: str) -> None:
        """Show only modules whose name or services contain ``text``."""
        needle = text.lower()
        self._rows.filter(
            (lambda row: needle in f"{row.name} {','.join(row.services)}".lower())
            if needle
            else None
        )
        self._table.update()

    def mark_stale(self, stale: bool) -> None:
        """Grey while the rank does not answer."""
        self._table.mark(stale=stale)

    # -- moving about ----------------------------------------------------------------------

    def action_modules_rank(self, rank: str = "") -> None:
        """Show the modules of a rank that was typed."""
        if not rank:
            self.post_message(self.ArgumentAsked("rank "))
        elif rank.isdecimal() and int(rank) < self._brokers:
            self.choose_rank(int(rank))
        else:
            self.notify(f"the ranks are 0 to {self._brokers - 1}", severity="error", markup=False)

    def action_modules_next_rank(self) -> None:
        """Show the modules of the next rank."""
        self.choose_rank((self.desk.chosen_rank + 1) % self._brokers)

    def action_modules_prev_rank(self) -> None:
        """Show the modules of the previous rank."""
        self.choose_rank((self.desk.chosen_rank - 1) % self._brokers)

    def action_modules_sort(self) -> None:
        """Sort by the next column."""
        self._sort((self._order + 1) % len(present.ORDERS))

    def _sort(self, order: int) -> None:
        self._order = order
        column, key, reverse = present.ORDERS[order]
        self._rows.sort(key, reverse=reverse)
        self._table.mark(sorted_by=column)
        self._table.update()

    def on_table_chosen(self) -> None:
        """A module was clicked twice."""
        self.action_modules_stats()

    # -- doing things ----------------------------------------------------------------------

    def action_modules_reload(self) -> None:
        """Reload the module under the cursor."""
        row, rank = self._table.row, self.desk.chosen_rank
        if row is None or self._is_our_own(row, rank):
            return
        if self._search_paths.get(rank) is not None:
            self._ask_reload(row, rank)
        else:
            self.run_worker(self._reload(row, rank))

    def _is_our_own(self, row: ModuleRow, rank: int) -> bool:
        """True if we are connected through the module, and so could not load it again."""
        own = row.name == "connector-local" and rank == self.desk.own_rank
        if own:
            text = "fluxtop is connected through it, and could not load it again"
            self.notify(text, title=row.name, severity="error", markup=False)
        return own

    async def _reload(self, row: ModuleRow, rank: int) -> None:
        await self._read_search_path(rank)
        self._ask_reload(row, rank)

    def _ask_reload(self, row: ModuleRow, rank: int) -> None:
        target = reload_target(row, self._search_paths.get(rank) or "")
        name, args = row.name, shlex.join(self._loaded_with(row, rank))
        question = Question(
            title=f"Reload {name} on rank {rank}",
            build=lambda typed: ReloadModule(rank, name, target, arguments(typed["args"])),
            doing=f"reloading {name}",
            note="It is removed and loaded anew from its file as it is now.",
            fields=(Field("args", "Arguments", args),),
            type_name=name if name in VITAL else "",
        )
        self.ask(question, f"{name} is reloaded on rank {rank}")

    def _loaded_with(self, row: ModuleRow, rank: int) -> tuple[str, ...]:
        known = {(rank, row.name), (rank, row.path)}
        return next((self._arguments[key] for key in reversed(self._arguments) if key in known), ())

    async def _read_search_path(self, rank: int) -> None:
        """Ask where a broker looks for modules; one that does not say is asked again."""
        try:
            self._search_paths[rank] = await self.desk.source.call(SearchPath(rank))
        except OSError as exc:
            self.log.warning(f"rank {rank} does not say where it looks for modules: {exc}")

    def action_modules_load(self, line: str = "") -> None:
        """Load a module."""
        path, _, args = line.partition(" ")
        rank = self.desk.chosen_rank

        def build(typed: Mapping[str, str]) -> LoadModule:
            return LoadModule(rank, name_or_path(typed["path"]), arguments(typed["args"]))

        question = Question(
            title=f"Load a module on rank {rank}",
            build=build,
            doing="loading",
            fields=(
                Field("path", "Name, or path of a file", path, required=True),
                Field("args", "Arguments", args),
            ),
        )
        self.ask(question, f"loaded on rank {rank}")

    def action_modules_remove(self) -> None:
        """Remove the module under the cursor."""
        row, rank = self._table.row, self.desk.chosen_rank
        if row is None or self._is_our_own(row, rank):
            return
        name = row.name
        question = Question(
            title=f"Remove {name} from rank {rank}",
            build=lambda _typed: RemoveModule(rank, name),
            doing=f"removing {name}",
            type_name=name if name in VITAL else "",
        )
        self.ask(question, f"{name} is removed from rank {rank}")

    def action_modules_stats(self) -> None:
        """Show the statistics of the module under the cursor."""
        row = self._table.row
        if row is not None:
            from fluxtop.modals.stats import StatsModal

            self.app.push_screen(
                StatsModal(self.desk, ModuleStats(self.desk.chosen_rank, row.name))
            )

    def action_modules_debug(self) -> None:
        """Read the debug flags of the module under the cursor, and offer to set them."""
        row = self._table.row
        if row is not None:
            self.run_worker(self._debug(row.name, self.desk.chosen_rank))

    async def _debug(self, name: str, rank: int) -> None:
        try:
            flags = await self.desk.source.call(DebugFlags(rank, name))
        except OSError as exc:
            self.notify(f"{name}: {exc.strerror}", severity="error", markup=False)
            return

        def build(typed: Mapping[str, str]) -> DebugFlags:
            return DebugFlags(rank, name, number(typed["flags"]))

        question = Question(
            title=f"Debug flags of {name} on rank {rank}",
            build=build,
            doing="setting",
            fields=(Field("flags", "Flags, a number", f"{flags:#x}", required=True),),
        )
        self.ask(question, f"{name}: debug flags are set")

    def changed(self, operation: Command) -> None:
        """Ask at once what is loaded now; a module that went and came back has the cursor."""
        match operation:
            case LoadModule(rank=rank, path=what, args=args):
                self._remember(rank, what, args)
            case ReloadModule(rank=rank, name=what, args=args):
                self._remember(rank, what, args)
                self._table.go_to(what)
        if self.on_screen:
            self.start()

    def _remember(self, rank: int, what: str, args: tuple[str, ...]) -> None:
        self._arguments.pop((rank, what), None)
        self._arguments[rank, what] = args
