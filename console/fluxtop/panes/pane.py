"""What all panes have: a frame with a title, what they follow, and a filter."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from fluxtop.actions import ACTIONS, PANES, Action, Context, enabled
from fluxtop.data.source import Subject, Watch
from fluxtop.data.trouble import Trouble
from fluxtop.desk import Desk
from fluxtop.modals.question import Command, Question
from fluxtop.widgets.late_hide import LateHide
from fluxtop.widgets.table import Table

if TYPE_CHECKING:
    from fluxtop.widgets.filter_bar import FilterBar

M = TypeVar("M")

_ACTIONS_BY_METHOD: dict[str, Action] = {action.method: action for action in ACTIONS}


class Pane(LateHide, Vertical):
    """A pane of the dashboard; ``body`` is what has the focus when the pane has it.

    It follows its subjects only while it is on the screen: :meth:`start` and :meth:`stop` are
    called as it comes and goes.
    """

    ID: ClassVar[str]
    #: What is said where rows would be when there are none.
    EMPTY: ClassVar[str] = ""

    class ArgumentAsked(Message):
        """An action needs an argument: a command line that begins so is to be completed."""

        def __init__(self, begun: str) -> None:
            super().__init__()
            self.begun = begun

    def __init__(self, desk: Desk, body: Widget) -> None:
        super().__init__(id=self.ID)
        self.desk = desk
        self.body = body
        self.on_screen = False
        #: Why what is followed cannot be, by the name that it is followed as.
        self.troubles: dict[str, Trouble] = {}
        self._watches: dict[str, Watch] = {}
        self._said = ""
        #: Made when it is first asked for: a console starts without one text field.
        self._filter: FilterBar | None = None
        number = list(PANES).index(self.ID) + 1
        self.border_title = Content.assemble((f"{number} ", "bold"), PANES[self.ID])

    def compose(self) -> ComposeResult:
        """The body."""
        yield self.body

    # -- what a pane says of itself --------------------------------------------------------

    def start(self) -> None:
        """Follow what is shown; the pane has come onto the screen."""

    def has_row(self) -> bool:
        """True if there is a row that an action could be about."""
        return False

    def tick(self) -> None:
        """A second has passed."""

    def filter(self, text: str) -> None:
        """Show only what contains ``text``."""

    def mark_stale(self, stale: bool) -> None:
        """What is shown is no longer true, or is true again."""

    def subtitle(self) -> str:
        """What the frame says at its foot."""
        return ""

    # -- on and off the screen -------------------------------------------------------------

    def show_on_screen(self, shown: bool) -> None:
        """Come onto the screen, or leave it and end the traffic."""
        self.display = shown
        if shown == self.on_screen:
            return
        self.on_screen = shown
        if shown:
            self.mark_stale(not self.desk.source.connection.up)
            self.start()
        else:
            self.stop()

    def stop(self) -> None:
        """Follow nothing."""
        for name in self.followed:
            self.unfollow(name)

    def follow(self, name: str, subject: Subject[M], sink: Callable[[M], None]) -> None:
        """Follow ``subject`` as ``name``, in place of what was followed as that."""
        self.unfollow(name)

        def take(message: M | Trouble) -> None:
            if isinstance(message, Trouble):
                self.troubles[name] = message
                self.told_trouble(message)
            else:
                self.troubles.pop(name, None)
                sink(message)
            self.refresh_subtitle()

        self._watches[name] = self.desk.source.watch(subject, take)

    def unfollow(self, name: str) -> None:
        """Follow what is followed as ``name`` no more."""
        self.troubles.pop(name, None)
        watch = self._watches.pop(name, None)
        if watch is not None:
            watch.stop()

    @property
    def followed(self) -> frozenset[str]:
        """The names of what is followed."""
        return frozenset(self._watches)

    def told_trouble(self, trouble: Trouble) -> None:
        """Something that is followed cannot be; the foot of the frame says so anyway."""

    def refresh_subtitle(self) -> None:
        """Say at the foot of the frame what is wrong, and what else there is to say."""
        trouble = next(iter(self.troubles.values()), None)
        self.set_class(trouble is not None, "-trouble")
        text = self.subtitle()
        if trouble is not None:
            text = f"{trouble}  {text}".strip()
        if self._filter is not None and self._filter.value:
            text = f"/{self._filter.value}  {text}"
        if text != self._said:
            self._said = text
            self.border_subtitle = Content(text)

    # -- the filter ------------------------------------------------------------------------

    def ask_filter(self) -> None:
        """Let the user type a filter."""
        if self._filter is None:
            from fluxtop.widgets.filter_bar import FilterBar

            self._filter = FilterBar()
            self.mount(self._filter)
        self._filter.display = True
        self.screen.set_focus(self._filter)

    def notice(self) -> str:
        """What stands where rows would be, while there are none."""
        return "nothing matches" if self._filter is not None and self._filter.value else self.EMPTY

    def clear_filter(self) -> bool:
        """Take the filter away; False if there is none."""
        if self._filter is None or not self._filter.display:
            return False
        self._filter.action_leave(True)
        return True

    def on_table_filter_asked(self) -> None:
        """Let the user type a filter."""
        self.ask_filter()

    def on_filter_bar_filtered(self, event: "FilterBar.Filtered") -> None:
        """Filter by what is typed."""
        event.stop()
        self.filter(event.text)
        if isinstance(self.body, Table):
            self.body.say(self.notice())
        self.refresh_subtitle()
        if event.done:
            self.screen.set_focus(self.body, scroll_visible=False)

    # -- actions ---------------------------------------------------------------------------

    def ask(self, question: Question, done: str) -> None:
        """Ask a question and do what it is about; say ``done`` when it is."""
        from fluxtop.modals.operation import OperationModal

        def tell(operation: Command | None) -> None:
            if operation is not None:
                self.notify(done, markup=False)
                self.changed(operation)

        self.app.push_screen(OperationModal(self.desk, question), tell)

    def changed(self, operation: Command) -> None:
        """``operation`` was carried out; it may have changed what is shown."""

    def context(self) -> Context:
        """What actions here can count on."""
        return Context(
            link=self.desk.source.connection.up,
            row=self.has_row(),
            read_only=self.desk.read_only,
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """True if an action of the table makes sense now."""
        known = _ACTIONS_BY_METHOD.get(action)
        return known is None or known.scope != self.ID or enabled(known, self.context())
