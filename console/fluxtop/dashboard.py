"""The dashboard: the panes in their columns, which of them are on the screen, and the focus."""

from typing import Final, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from fluxtop.desk import Desk
from fluxtop.layout import BOTTOM, DETAIL, LEFT, MIDDLE, Arrangement, arrange
from fluxtop.panes.pane import Pane
from fluxtop.panes.registry import make

_COLUMNS: Final = {"left": LEFT, "middle": MIDDLE, "detail": DETAIL}

P = TypeVar("P", bound=Pane)


class Dashboard(Vertical):
    """All panes. Those of the detail column are made when they are first opened."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="dashboard")
        self._desk = desk
        self._panes = {pane: make(pane, desk) for pane in (*LEFT, *MIDDLE, *BOTTOM)}
        self._columns = {
            name: Vertical(*self._made(members), id=f"column-{name}")
            for name, members in _COLUMNS.items()
        }
        self._row = Horizontal(*self._columns.values(), id="columns")
        #: The pane that the user is in.
        self.current = LEFT[0]
        self.zoomed = False
        #: True while that pane is being made, and so cannot have the focus yet.
        self.focusing = False
        #: The pane of the detail column that is open.
        self.opened: str | None = None
        self._before = LEFT[0]
        self.arrangement = Arrangement(frozenset(), strip=False)

    def compose(self) -> ComposeResult:
        """The columns, and the log below them."""
        yield self._row
        yield from self._made(BOTTOM)

    def _made(self, panes: tuple[str, ...]) -> list[Pane]:
        return [self._panes[pane] for pane in panes if pane in self._panes]

    # -- panes -----------------------------------------------------------------------------

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes that have been made."""
        return tuple(self._panes.values())

    @property
    def pane(self) -> Pane:
        """The pane that the user is in."""
        return self._panes[self.current]

    def get(self, pane: str) -> Pane:
        """A pane, made if need be; where it is not on the screen it follows nothing."""
        if pane not in self._panes:
            made = self._panes[pane] = make(pane, self._desk)
            made.display = False
            self._columns["detail"].mount(made)
        return self._panes[pane]

    def of(self, kind: type[P]) -> P:
        """The pane of a class, made if need be."""
        pane = self.get(kind.ID)
        assert isinstance(pane, kind)
        return pane

    def pane_of(self, widget: Widget | None) -> Pane | None:
        """The pane that a widget is in."""
        while widget is not None and not isinstance(widget, Pane):
            widget = widget.parent if isinstance(widget.parent, Widget) else None
        return widget

    # -- moving ----------------------------------------------------------------------------

    def go(self, pane: str) -> Pane:
        """Go to a pane; one of the detail column is opened by it."""
        target = self.get(pane)
        if pane in DETAIL:
            if self.current not in DETAIL:
                self._before = self.current
            self.opened = pane
        self.current = pane
        self.settle()
        self._focus(target)
        return target

    def _focus(self, pane: Pane) -> None:
        """Give ``pane`` the focus now: the next key is for it, however soon it comes."""
        self.focusing = not pane.body.is_attached
        if self.focusing:
            self.call_after_refresh(self._focus_late, pane)
        else:
            self.screen.set_focus(pane.body, scroll_visible=False)

    def _focus_late(self, pane: Pane) -> None:
        """A pane that has just been made is there; the user may have gone on meanwhile."""
        if self.current == pane.ID:
            self._focus(pane)

    def entered(self, pane: Pane) -> None:
        """The focus has come into ``pane``, however."""
        if self.current != pane.ID:
            self.current = pane.ID
            self.settle()

    def back(self) -> bool:
        """Leave what was opened last; False if there is nothing to leave."""
        if self.pane.clear_filter():
            return True
        if self.zoomed:
            self.zoom()
            return True
        if self.opened is None:
            return False
        self.opened = None
        self.go(self._before if self.current in DETAIL else self.current)
        return True

    def zoom(self) -> None:
        """Give the current pane the whole screen, or take it back."""
        self.zoomed = not self.zoomed
        self.settle()

    def settle(self) -> None:
        """Put on the screen what belongs there."""
        size = self.app.size
        self.arrangement = arrange(
            size.width, size.height, self.current, zoomed=self.zoomed, opened=self.opened
        )
        for name, members in _COLUMNS.items():
            self._columns[name].display = self.arrangement.shows(members)
        self._row.display = any(map(self.arrangement.shows, _COLUMNS.values()))
        for pane in self._panes.values():
            pane.show_on_screen(pane.ID in self.arrangement.panes)
            pane.set_class(self.current == pane.ID, "-current")
            pane.set_class(len(self.arrangement.panes) == 1, "-alone")

    # -- what all panes are told -----------------------------------------------------------

    def mark_stale(self, stale: bool) -> None:
        """What is shown is no longer true, or is true again."""
        for pane in self._panes.values():
            pane.mark_stale(stale)

    def tick(self) -> None:
        """A second has passed."""
        for pane in self._panes.values():
            if pane.on_screen:
                pane.tick()

    def stop(self) -> None:
        """Follow nothing."""
        for pane in self._panes.values():
            pane.show_on_screen(False)
