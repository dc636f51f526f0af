"""Everything a user can do, in one table.

The table feeds the key bindings, the footer, the help screen, the command palette, the command
line and the keymap file; a test holds them together. An action with the id ``modules.reload``
is carried out by ``action_modules_reload`` of the widget that its scope names; a third word of
the id is the method's argument.

Keys are plain letters first: upper case for what destroys something. Ctrl combinations are
never the only way, since terminals and multiplexers eat them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Final


class Needs(Flag):
    """What must be so for an action to make sense."""

    NOTHING = 0
    LINK = auto()  #: the connection is up
    ROW = auto()  #: a row is under the cursor
    WRITE = auto()  #: the console is not read-only


@dataclass(frozen=True, slots=True)
class Action:
    """Something a user can do.

    ``scope`` is ``app`` or the id of a pane, ``keys`` are Textual's names of keys (the first
    one is shown), ``label`` is for the footer and ``help`` for everywhere else. ``words`` are
    what the command line knows it by beside its id, and ``takes`` names its argument there.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    needs: Needs = Needs.NOTHING
    destructive: bool = False
    footer: bool = True
    words: tuple[str, ...] = ()
    takes: str = ""
    scope: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive the scope from the id."""
        object.__setattr__(self, "scope", self.id.partition(".")[0])

    @property
    def method(self) -> str:
        """The action's name for Textual: ``action_`` and this is the method's name."""
        return "_".join(self.id.split(".")[:2]).replace("-", "_")

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the method is called with: the rest of the id."""
        return tuple(self.id.split(".")[2:])

    @property
    def call(self) -> str:
        """The method and its arguments as Textual writes a call."""
        return f"{self.method}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Context:
    """What an action's needs are held against."""

    link: bool = False
    row: bool = False
    read_only: bool = False


def enabled(action: Action, context: Context) -> bool:
    """True if ``action`` makes sense now."""
    needs = action.needs
    if Needs.LINK in needs and not context.link:
        return False
    if Needs.ROW in needs and not context.row:
        return False
    return allowed(action, context.read_only)


def allowed(action: Action, read_only: bool) -> bool:
    """True unless the console is read-only and the action would change something."""
    return not (read_only and Needs.WRITE in action.needs)


_CHANGE: Final = Needs.LINK | Needs.WRITE
_CHANGE_ROW: Final = _CHANGE | Needs.ROW

#: The panes by id, in the order of their numbers: what each is called.
PANES: Final[Mapping[str, str]] = {
    "tbon": "TBON",
    "modules": "Modules",
    "kvs": "KVS",
    "jobs": "Jobs",
    "log": "Log",
    "value": "Value",
    "job": "Job",
    "jobspec": "Jobspec",
}

#: What the help screen calls each scope.
GROUPS: Final[Mapping[str, str]] = {
    "app": "Everywhere",
    "table": "In a list",
    "lines": "In a text",
    **PANES,
}


def _focus_actions() -> list[Action]:
    return [
        Action(
            f"app.pane.{pane}",
            (str(number),),
            title,
            f"Go to the {title} pane",
            footer=False,
            words=(pane,),
        )
        for number, (pane, title) in enumerate(PANES.items(), 1)
    ]


ACTIONS: Final[tuple[Action, ...]] = (
    # -- everywhere
    *_focus_actions(),
    Action("app.zoom", ("z",), "Zoom", "Give the pane the whole screen, or take it back"),
    Action("app.help", ("question_mark", "f1"), "Help", "Show the keys"),
    Action("app.palette", ("ctrl+p",), "Palette", "Find an action by its name", footer=False),
    Action("app.command", ("colon",), "Command", "Type a command", footer=False),
    Action("app.back", ("q", "escape"), "Back", "Leave what was opened last", words=("back",)),
    Action("app.quit", ("Q",), "Quit", "Leave fluxtop", words=("q", "quit", "exit")),
    Action(
        "app.attach",
        (),
        "Attach",
        "Attach to another instance",
        words=("attach",),
        takes="URI",
    ),
    Action("app.uri", (), "URI", "Show the instance's URI, and copy it", words=("uri",)),
    Action("app.retry", (), "Retry", "Connect again now", words=("retry",)),
    Action("app.theme", (), "Theme", "Take the next theme", words=("theme",), takes="NAME"),
    Action("app.screenshot", (), "Screenshot", "Save the screen as SVG", words=("screenshot",)),
    # -- in every list
    Action("table.filter", ("slash",), "Filter", "Show only rows that contain a text"),
    Action("table.up", ("k", "up"), "Up", "One row up", footer=False),
    Action("table.down", ("j", "down"), "Down", "One row down", footer=False),
    Action("table.page-up", ("pageup",), "Page up", "One page up", footer=False),
    Action("table.page-down", ("pagedown",), "Page down", "One page down", footer=False),
    Action("table.top", ("g", "home"), "Top", "To the first row", footer=False),
    Action("table.bottom", ("G", "end"), "Bottom", "To the last row", footer=False),
    # -- in every text
    Action("lines.up", ("k", "up"), "Up", "One line up", footer=False),
    Action("lines.down", ("j", "down"), "Down", "One line down", footer=False),
    Action("lines.left", ("h", "left"), "Left", "To the left", footer=False),
    Action("lines.right", ("l", "right"), "Right", "To the right", footer=False),
    Action("lines.page-up", ("pageup",), "Page up", "One page up", footer=False),
    Action("lines.page-down", ("pagedown",), "Page down", "One page down", footer=False),
    Action("lines.top", ("g", "home"), "Top", "To the first line", footer=False),
    Action("lines.bottom", ("G", "end"), "Bottom", "To the last line", footer=False),
    # -- the tree of brokers
    Action("tbon.open", ("enter",), "Choose", "Show this broker's modules", Needs.ROW),
    Action("tbon.unfold", ("right", "l"), "Unfold", "Show what is below", Needs.ROW, footer=False),
    Action("tbon.fold", ("left", "h"), "Fold", "Hide what is below", Needs.ROW, footer=False),
    # -- modules
    Action("modules.reload", ("R",), "Reload", "Reload the module", _CHANGE_ROW, True),
    Action(
        "modules.load",
        ("L",),
        "Load",
        "Load a module",
        _CHANGE,
        words=("load",),
        takes="PATH [ARGS]",
    ),
    Action("modules.remove", ("X",), "Remove", "Remove the module", _CHANGE_ROW, True),
    Action("modules.stats", ("s", "enter"), "Stats", "Show its statistics", Needs.LINK | Needs.ROW),
    Action("modules.debug", ("d",), "Debug", "Read and set its debug flags", _CHANGE_ROW),
    Action("modules.sort", ("o",), "Order", "Sort by the next column", footer=False),
    Action(
        "modules.rank",
        (),
        "Rank",
        "Show the modules of a rank",
        words=("rank",),
        takes="RANK",
        footer=False,
    ),
    Action("modules.next-rank", ("right_square_bracket",), "Next rank", "Next rank", footer=False),
    Action(
        "modules.prev-rank",
        ("left_square_bracket",),
        "Previous rank",
        "Previous rank",
        footer=False,
    ),
    # -- the key-value store
    Action("kvs.open", ("enter",), "Open", "Show the value, or unfold a directory", Needs.ROW),
    Action("kvs.unfold", ("right", "l"), "Unfold", "Show what is inside", Needs.ROW, footer=False),
    Action("kvs.fold", ("left", "h"), "Fold", "Hide what is inside", Needs.ROW, footer=False),
    Action(
        "kvs.get", (), "Get", "Show the value of a key", words=("get",), takes="KEY", footer=False
    ),
    Action("kvs.copy", ("y",), "Copy", "Copy the key", Needs.ROW, footer=False),
    # -- jobs
    Action("jobs.open", ("enter",), "Open", "Show the job", Needs.ROW),
    Action("jobs.new", ("n",), "New", "Write a jobspec", Needs.WRITE, words=("new",)),
    Action("jobs.cancel", ("X",), "Cancel", "Cancel the job", _CHANGE_ROW, True),
    Action("jobs.active", ("a",), "Active", "Show active jobs only, or all", footer=False),
    Action("jobs.sort", ("o",), "Order", "Sort by the next column", footer=False),
    Action("jobs.copy", ("y",), "Copy", "Copy the job's id", Needs.ROW, footer=False),
    # -- the log
    Action("log.pause", ("p", "space"), "Pause", "Keep the place, or follow again"),
    Action("log.open", ("enter",), "Open", "Show the whole line", Needs.ROW),
    Action("log.level", ("v",), "Level", "Show less: errors only, warnings too, ..., all"),
    Action("log.rank", ("r",), "Rank", "Show the log of the chosen rank, or of rank 0"),
    # -- a value
    Action("value.form", ("v",), "View", "Show it as text, JSON, events or bytes"),
    Action("value.copy", ("y",), "Copy", "Copy the value", footer=False),
    # -- a job
    Action("job.view", ("v",), "View", "Show its output, jobspec or resources"),
    Action("job.edit", ("e",), "Edit", "Edit its jobspec and submit it again", Needs.WRITE),
    Action("job.cancel", ("X",), "Cancel", "Cancel the job", _CHANGE, True),
    Action("job.copy", ("y",), "Copy", "Copy the job's id", footer=False),
    # -- the jobspec editor
    Action(
        "jobspec.submit",
        ("f2", "ctrl+s"),
        "Submit",
        "Save: submit the job and open it",
        _CHANGE,
        words=("w", "write", "submit"),
    ),
    Action("jobspec.edit", ("i", "enter"), "Edit", "Type in the editor", footer=False),
    Action("jobspec.template", ("f3",), "Template", "Start from the template", Needs.WRITE),
    Action("jobspec.format", ("f4",), "JSON/YAML", "Write it as JSON, or as YAML", Needs.WRITE),
)

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}


def of_scope(scope: str) -> tuple[Action, ...]:
    """The actions of a scope, in the table's order."""
    return tuple(action for action in ACTIONS if action.scope == scope)


def find(word: str) -> Action | None:
    """The action that the command line means by ``word``."""
    if word in BY_ID:
        return BY_ID[word]
    return next((action for action in ACTIONS if word in action.words), None)
