"""Keys that come all at once, as a slow line or a macro delivers them."""

from collections.abc import Callable

import pytest
from textual import events
from textual.app import App
from textual.keys import _character_to_key, key_to_character

from fluxtop.data.instance import InstanceWatch

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def burst(pilot) -> Callable[..., None]:
    """Let keys come without a pause between them."""

    def send(*keys: str) -> None:
        app: App[object] = pilot.app
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            event = events.Key(name, key if len(key) == 1 else key_to_character(key))
            event.set_sender(app)
            app._driver.send_message(event)

    return send


async def test_a_way_through_panes_filters_and_questions(pilot, see, burst):
    burst("2", "slash", *"heart", "enter", "R")
    await see(pilot, "$ flux module reload heartbeat")


async def test_what_is_typed_into_a_question_goes_where_the_cursor_is(pilot, see, burst):
    burst("2", "L", *"clock", "tab", *"abc", "backspace", "home", "z")
    await see(pilot, "$ flux module load clock zab")


async def test_what_is_typed_into_the_editor_goes_where_the_cursor_is(pilot, see, burst):
    burst("8", *["down"] * 16, "end", "left", *" again")
    await see(pilot, "- command: [echo, hello potato 🥔️🍠️ again]")


async def test_a_paste_waits_for_the_keys_before_it(pilot, see, burst):
    burst("colon", *"get greetinx", "backspace")
    pilot.app._driver.send_message(events.Paste("g"))
    burst("enter")
    await see(pilot, "hello 🥔", "6 Value")


async def test_keys_go_on_when_a_widget_goes_with_a_key_on_its_way(pilot, source, see, burst):
    burst("2", "j")
    source.forget(InstanceWatch())
    source.switch("local:///other")
    burst("5")
    await see(pilot, "local:///other", "p Pause")
    burst("2", "slash", *"kvs", "enter")
    await see(pilot, "/kvs  rank 0, 10 modules")


async def test_a_question_without_a_field_takes_the_next_key_at_once(pilot, see, burst, until):
    """And not only when the console's patience is at its end."""
    await pilot.press("2", *"jjj")
    pilot.app._typeahead._later = lambda _number: pytest.fail("the key was waited for")
    burst("X", "escape", "4")
    await until(pilot, lambda: pilot.app.dashboard.current == "jobs")
