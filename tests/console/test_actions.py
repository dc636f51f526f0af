"""The table of actions against everything that is made from it."""

import itertools

import pytest
from textual.binding import Binding
from textual.keys import Keys, key_to_character

from fluxtop.actions import (
    ACTIONS,
    BY_ID,
    GROUPS,
    PANES,
    Action,
    Context,
    Needs,
    allowed,
    enabled,
    find,
    of_scope,
)
from fluxtop.app import FluxTop
from fluxtop.bindings import bindings, key_name, keys_of
from fluxtop.cells import plain_text
from fluxtop.modals.help import help_lines
from fluxtop.panes.registry import pane_class
from fluxtop.present.footer import footer
from fluxtop.widgets.lines import Lines
from fluxtop.widgets.table import Table

WIDGETS = {"app": FluxTop, "table": Table, "lines": Lines} | {p: pane_class(p) for p in PANES}
EVERYTHING = Context(link=True, row=True)

#: What the body of each pane is: whose keys work there too.
BODIES = {pane: "lines" if pane in ("value", "job") else "table" for pane in PANES}

ids = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)


def test_ids_are_unique_and_their_scopes_known():
    assert len(BY_ID) == len(ACTIONS)
    assert {action.scope for action in ACTIONS} == set(GROUPS) == set(WIDGETS)


@ids
def test_an_action_is_carried_out_by_the_widget_of_its_scope(action):
    assert callable(getattr(WIDGETS[action.scope], f"action_{action.method}"))


def test_every_action_method_is_in_the_table():
    for scope, widget in WIDGETS.items():
        made = {name for name in vars(widget) if name.startswith(f"action_{scope}_")}
        assert made == {f"action_{action.method}" for action in of_scope(scope)}


@ids
def test_an_action_is_bound_to_its_keys_under_its_id(action):
    bound = [b for b in vars(WIDGETS[action.scope])["BINDINGS"] if b.id == action.id]
    assert [b.key for b in bound] == ([",".join(action.keys)] if action.keys else [])


@ids
def test_an_action_without_keys_can_be_typed(action):
    assert action.keys or action.words


@ids
def test_the_keys_are_textuals(action):
    for key in action.keys:
        named = key == "slash" or key in {member.value for member in Keys}
        assert named or key_to_character(key) or key.startswith("ctrl+")


@ids
def test_ctrl_is_never_the_only_way(action):
    others = [key for key in action.keys if not key.startswith("ctrl+")]
    assert others or not action.keys or action.id == "app.palette"


@ids
def test_help_shows_it(action):
    lines = [plain_text(line) for line in help_lines(GROUPS, {}, read_only=False)]
    (line,) = [line for line in lines if line.endswith(f"  {action.id}")]
    assert action.help in line
    assert all(key_name(key) in line for key in action.keys)


@pytest.mark.parametrize("pane", PANES)
def test_no_two_actions_of_a_pane_share_a_key(pane):
    scopes = [pane, "app"] + ([] if pane == "jobspec" else [BODIES[pane]])
    here = [action for scope in scopes for action in of_scope(scope)]
    for one, other in itertools.combinations(here, 2):
        assert not set(one.keys) & set(other.keys), (one.id, other.id)


@pytest.mark.parametrize("scope", [*PANES, "app"])
def test_the_footer_shows_what_is_enabled(scope):
    text = plain_text(footer([(of_scope(scope), EVERYTHING)], {}))
    for action in of_scope(scope):
        shown = f" {key_name(action.keys[0])} {action.label} " if action.keys else "\0"
        assert (shown in text) == bool(action.footer and action.keys)
    assert plain_text(footer([(of_scope(scope), Context())], {})).count("Reload") == 0


def test_what_destroys_something_is_upper_case_and_changes_something():
    for action in ACTIONS:
        if action.destructive:
            assert all(key.isupper() for key in action.keys)
            assert Needs.WRITE in action.needs


def test_a_read_only_console_has_no_action_that_changes_anything():
    hidden = {action.id for action in ACTIONS if not allowed(action, read_only=True)}
    assert {"modules.reload", "modules.load", "modules.remove", "jobs.cancel"} <= hidden
    lines = [plain_text(line) for line in help_lines(GROUPS, {}, read_only=True)]
    for name in hidden:
        assert not enabled(BY_ID[name], Context(link=True, row=True, read_only=True))
        assert not any(line.endswith(f"  {name}") for line in lines)


@pytest.mark.parametrize(
    ("needs", "context", "answer"),
    [
        (Needs.NOTHING, Context(), True),
        (Needs.LINK, Context(), False),
        (Needs.LINK, Context(link=True), True),
        (Needs.ROW | Needs.LINK, Context(link=True), False),
        (Needs.ROW | Needs.LINK, Context(link=True, row=True), True),
        (Needs.WRITE, Context(read_only=True), False),
    ],
)
def test_an_action_is_enabled_when_its_needs_are_met(needs, context, answer):
    assert enabled(Action("app.x", ("x",), "x", "x", needs), context) is answer


def test_words_are_found_and_unambiguous():
    words = [word for action in ACTIONS for word in action.words]
    assert len(words) == len(set(words))
    assert find("w") is BY_ID["jobspec.submit"]
    assert find("modules.reload") is BY_ID["modules.reload"]
    assert find("nosuch") is None


def test_a_keymap_changes_what_is_shown():
    assert keys_of(BY_ID["modules.reload"], {"modules.reload": "ctrl+r,u"}) == ("ctrl+r", "u")
    text = plain_text(footer([(of_scope("modules"), EVERYTHING)], {"modules.reload": "u"}))
    assert " u Reload " in text


def test_bindings_are_not_shown_by_textual():
    assert all(isinstance(b, Binding) and not b.show for b in bindings("app", "table"))
