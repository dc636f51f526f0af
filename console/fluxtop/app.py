"""The console: the dashboard, the lines above and below it, and what goes between panes."""

import errno
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import App, ComposeResult
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.theme import Theme

from fluxcore.handle.uri import local_path
from fluxtop.actions import ACTIONS, Action, Context, enabled, find, of_scope
from fluxtop.bindings import bindings
from fluxtop.dashboard import Dashboard
from fluxtop.data.connection import Connection, Phase
from fluxtop.data.instance import Instance, InstanceMessage, InstanceWatch
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.header import Header
from fluxtop.leaving import what_ends
from fluxtop.panes.jobs import JobsPane
from fluxtop.panes.kvs import KvsPane
from fluxtop.panes.modules import ModulesPane
from fluxtop.panes.pane import Pane
from fluxtop.panes.tbon import TbonPane
from fluxtop.panes.value import ValuePane
from fluxtop.present.footer import footer, strip
from fluxtop.theming import DEFAULT
from fluxtop.typeahead import TypeAhead
from fluxtop.widgets.bar import Bar
from fluxtop.widgets.lines import Lines
from fluxtop.widgets.table import Table

if TYPE_CHECKING:  # imported when they are first opened
    from fluxtop.panes.job import JobPane
    from fluxtop.panes.jobspec import JobspecPane
    from fluxtop.widgets.command_line import CommandLine

#: Seconds between two looks at the clock; what counts up is drawn anew then.
TICK: Final = 1.0
#: Seconds for which a warning that jobs end with the console counts as read.
WARNED: Final = 20.0


class FluxTop(App[None]):
    """The console of one instance at a time.

    :param css: the style sheet
    :param themes: the themes to choose from, by name; the default one is among them
    :param theme: the one to begin with
    """

    TITLE = "fluxtop"
    BINDINGS = bindings("app")
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (20, "-high")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, desk: Desk, *, css: Path, themes: Mapping[str, Theme], theme: str) -> None:
        self._defaults = themes[DEFAULT].variables
        super().__init__(css_path=css)
        self.desk = desk
        self._themes = tuple(themes)
        for each in themes.values():
            self.register_theme(each)
        self.theme = theme
        self._header = Header(desk)
        self._strip = Bar(glyphs=desk.glyphs, id="strip")
        self._footer = Bar(glyphs=desk.glyphs, id="footer")
        #: When the user was last told what ends with the console.
        self._warned = -WARNED
        #: The URI of the instance that was left last.
        self._left = ""
        #: Made when it is first asked for: a console starts without one text field.
        self._command: CommandLine | None = None
        self.dashboard = Dashboard(desk)
        self._typeahead = TypeAhead(self, super().on_event, self._takes_keys)
        self.set_class(desk.glyphs.plain, "-ascii")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the default theme says, for themes that say less."""
        return dict(self._defaults)

    def compose(self) -> ComposeResult:
        """Header, strip of panes, dashboard, footer."""
        yield self._header
        yield self._strip
        yield self.dashboard
        yield self._footer

    # -- its life --------------------------------------------------------------------------

    def on_load(self) -> None:
        """Connect before there is anything to draw: the first frames then have data in them."""
        self.desk.source.on_connection(self._connection_changed)
        self.desk.source.watch(InstanceWatch(), self._instance_told)
        self.run_worker(self.desk.source.run(), exit_on_error=True)

    def on_mount(self) -> None:
        """Begin to look at the clock."""
        self.set_keymap(self.desk.keymap)
        self.set_interval(TICK, self._tick)
        self.go("tbon")

    async def on_unmount(self) -> None:
        """Hang up."""
        await self.desk.source.close()

    def on_resize(self, _event: events.Resize) -> None:
        """Show what the new size has room for, once it is the size."""
        self.call_next(self._arrange)

    async def on_event(self, event: events.Event) -> None:
        """Let keys wait for those before them."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._typeahead.take(event)
        else:
            await super().on_event(event)

    def _takes_keys(self) -> bool:
        """True if what was opened last is there to take a key."""
        if len(self.screen_stack) > 1:
            if not self.screen.is_mounted:
                return False
            return self.focused is not None or not self.screen.focus_chain
        return self.dashboard.is_attached and not self.dashboard.focusing

    def fault(self, exc: Exception) -> None:
        """Show a fault of ours, and go on."""
        self.notify(f"{type(exc).__name__}: {exc}", title="fault", severity="error", markup=False)

    # -- what the instance says ------------------------------------------------------------

    def _connection_changed(self, connection: Connection) -> None:
        before = self._header.facts.connection
        self._header.take_connection(connection)
        if before.uri and before.uri != connection.uri:
            self._left = before.uri
            self._header.forget_instance()
            self.run_worker(self._renew())
        elif before.up != connection.up:
            self.dashboard.mark_stale(not connection.up)
        if connection.phase is Phase.FAILED and connection.trouble is not None:
            self.notify(connection.trouble.text, severity="error", timeout=60, markup=False)
        self._tell()

    async def _renew(self) -> None:
        """Forget everything: it was another instance's."""
        self.dashboard.stop()
        fresh = Dashboard(self.desk)
        await self.dashboard.remove()
        self.dashboard = fresh
        await self.mount(fresh, after=self._strip)
        self.desk.chosen_rank = 0
        self.go("tbon")

    def _instance_told(self, message: InstanceMessage | Trouble) -> None:
        drawn = self._header.facts
        self._header.take(message)
        if isinstance(message, Instance):
            self.desk.own_rank = message.rank
            self.dashboard.of(ModulesPane).set_size(message.size)
        if isinstance(message, Instance | Trouble) or drawn.state is None:
            self._tell()  # the rest waits for the next tick

    # -- the lines above and below ---------------------------------------------------------

    def _tick(self) -> None:
        self.dashboard.tick()
        self._tell()

    def _tell(self) -> None:
        self._header.draw()
        self._strip.show(strip(self.dashboard.current))
        shown = [(of_scope(scope), context) for scope, context in self._scopes()]
        self._footer.show(footer(shown, self.desk.keymap, self._typed))

    def _typed(self, key: str) -> bool:
        """True if the widget that has the focus takes ``key`` for a character."""
        character = key_to_character(key)
        return self.focused is not None and self.focused.check_consume_key(key, character)

    def _scopes(self) -> Iterator[tuple[str, Context]]:
        """The scopes whose keys work now, the innermost first; none while a question is asked."""
        if (
            not self.dashboard.is_attached
            or len(self.screen_stack) > 1
            or self.dashboard.current not in self._mounted()
        ):
            return
        pane = self.dashboard.pane
        yield pane.ID, pane.context()
        if isinstance(self.focused, Table):
            yield "table", pane.context()
        if isinstance(self.focused, Lines):
            yield "lines", pane.context()
        yield "app", pane.context()

    def _mounted(self) -> set[str]:
        return {pane.ID for pane in self.dashboard.panes}

    # -- moving about ----------------------------------------------------------------------

    def go(self, pane: str) -> None:
        """Go to a pane."""
        self.dashboard.go(pane)
        self._arrange()

    def _arrange(self) -> None:
        if self.dashboard.is_attached:
            self.dashboard.settle()
        self._strip.display = self.dashboard.arrangement.strip
        self._tell()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The focus is elsewhere: so are the keys."""
        pane = self.dashboard.pane_of(event.widget)
        if pane is not None:
            self.dashboard.entered(pane)
        self._tell()

    def on_table_moved(self) -> None:
        """There is a row under the cursor, or none: the keys follow."""
        self._tell()

    def on_pane_argument_asked(self, event: Pane.ArgumentAsked) -> None:
        """Let the user complete the command."""
        self._ask_command(event.begun)

    def on_tbon_pane_rank_chosen(self, event: TbonPane.RankChosen) -> None:
        """Show the modules of the rank chosen in the tree."""
        self.dashboard.of(ModulesPane).choose_rank(event.rank)
        self.go("modules")

    def on_kvs_pane_key_opened(self, event: KvsPane.KeyOpened) -> None:
        """Show the value of the key."""
        self.dashboard.of(ValuePane).open(event.space, event.key)
        self.go("value")

    def on_jobs_pane_job_opened(self, event: JobsPane.JobOpened) -> None:
        """Show the job."""
        self._open_job(event.job)

    def on_jobs_pane_jobspec_asked(self) -> None:
        """Write a jobspec."""
        self.go("jobspec")

    def on_jobspec_pane_submitted(self, event: "JobspecPane.Submitted") -> None:
        """Show the job that was submitted."""
        self._open_job(event.job)

    def on_job_pane_edit_asked(self, event: "JobPane.EditAsked") -> None:
        """Edit the jobspec of a job."""
        from fluxtop.panes.jobspec import JobspecPane

        self.dashboard.of(JobspecPane).edit(event.jobspec)
        self.go("jobspec")

    def _open_job(self, job: int) -> None:
        from fluxtop.panes.job import JobPane

        self.dashboard.of(JobPane).open(job)
        self.go("job")

    # -- actions ---------------------------------------------------------------------------

    def possible_actions(self) -> Iterator[Action]:
        """The actions that make sense now, those of the current pane first."""
        panes = sorted(self.dashboard.panes, key=lambda pane: pane is not self.dashboard.pane)
        for pane in panes:
            yield from (a for a in of_scope(pane.ID) if enabled(a, pane.context()))
        yield from of_scope("app")

    def perform(self, action: Action, argument: str = "") -> None:
        """Carry out an action, in the pane that it belongs to."""
        if action.scope == "app":
            self._carry_out(self, action, argument)
        elif action.scope in ("table", "lines"):
            self._carry_out(self.dashboard.pane.body, action, argument)
        else:
            pane = self.dashboard.go(action.scope)
            # Once the pane is there and has the focus, or it would take the focus back.
            self.call_after_refresh(self._perform_in, pane, action, argument)

    def _perform_in(self, pane: Pane, action: Action, argument: str) -> None:
        if enabled(action, pane.context()):
            self._carry_out(pane, action, argument)
        else:
            self.notify(f"not now: {action.help}", severity="warning", markup=False)

    def _carry_out(self, target: DOMNode, action: Action, argument: str) -> None:
        if argument and not action.takes:
            text = f"{action.help}: this takes no argument"
            self.notify(text, severity="error", markup=False)
            return
        arguments = (argument,) if action.takes and argument else action.arguments
        getattr(target, f"action_{action.method}")(*arguments)

    def on_command_line_entered(self, event: "CommandLine.Entered") -> None:
        """Carry out what was typed."""
        self.dashboard.go(self.dashboard.current)
        word, _, argument = event.line.partition(" ")
        if not word:
            return
        action = find(word)
        if action is None:
            self.notify(f"no such command: {word}", severity="error", markup=False)
        else:
            self.perform(action, argument.strip())

    def action_app_pane(self, pane: str) -> None:
        """Go to a pane."""
        self.go(pane)

    def action_app_zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.dashboard.zoom()
        self._arrange()

    def action_app_back(self) -> None:
        """Leave what was opened last."""
        if not self.dashboard.back():
            self.notify("Q leaves fluxtop", timeout=2)
        self._arrange()

    def action_app_help(self) -> None:
        """Show the keys."""
        from fluxtop.modals.help import HelpModal

        self.push_screen(HelpModal(self.dashboard.current, self.desk.keymap, self.desk.read_only))

    def action_app_palette(self) -> None:
        """Find an action by its name."""
        from fluxtop.palette import ActionProvider

        self.push_screen(CommandPalette(providers=[ActionProvider], placeholder="What to do"))

    def action_app_command(self) -> None:
        """Type a command."""
        self._ask_command("")

    def _ask_command(self, begun: str) -> None:
        if self._command is None:
            from fluxtop.widgets.command_line import CommandLine

            self._command = CommandLine([w for a in ACTIONS for w in (*a.words, a.id)])
            self.mount(self._command)
        self._command.ask(begun)

    def action_app_quit(self) -> None:
        """Leave; not at the first word if jobs end with the instance."""
        if self.desk.embedded and time.monotonic() - self._warned >= WARNED:
            self.run_worker(self._leave())
        else:
            self.exit()

    async def _leave(self) -> None:
        what = await what_ends(self.desk, shown=self._header.facts.embedded)
        if not what:
            self.exit()
            return
        self._warned = time.monotonic()
        self.notify(f"{what}; Q again leaves", severity="warning")

    def action_help_quit(self) -> None:
        """Say how to leave, at ctrl+c."""
        self.notify("Q leaves fluxtop", timeout=2)

    def action_app_attach(self, uri: str = "") -> None:
        """Attach to another instance."""
        if not uri:
            self._ask_command("attach ")
            return
        target = self._left if uri == "-" else uri
        if not target:
            self.notify("no other instance was shown before", severity="error")
            return
        try:
            if not Path(local_path(target)).exists():
                raise FileNotFoundError(errno.ENOENT, f"{target}: there is no such broker")
        except OSError as exc:
            self.notify(str(exc.strerror), severity="error", markup=False)
        else:
            self.desk.source.switch(target)

    def action_app_uri(self) -> None:
        """Show the URI whole, and copy it."""
        uri = self.desk.source.connection.uri
        self.copy_to_clipboard(uri)
        self.notify(uri, title="copied", timeout=20, markup=False)

    def action_app_retry(self) -> None:
        """Connect again now."""
        self.desk.source.retry()

    def action_app_theme(self, name: str = "") -> None:
        """Take a theme, by default the next one."""
        if name and name not in self._themes:
            known = ", ".join(self._themes)
            self.notify(f"no theme {name}; there are {known}", severity="error", markup=False)
            return
        at = self._themes.index(self.theme) if self.theme in self._themes else -1
        self.theme = name or self._themes[(at + 1) % len(self._themes)]

    def action_app_screenshot(self) -> None:
        """Save the screen as SVG, once the command line is off it."""
        self.call_after_refresh(self._save_screen)

    def _save_screen(self) -> None:
        path = self.save_screenshot(path=".")
        self.notify(f"saved {path}", markup=False)
