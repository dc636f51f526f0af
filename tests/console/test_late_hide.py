from textual import events
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Input

from fluxtop.widgets.filter_bar import FilterBar


class _Two(App[None]):
    """A line in a box, and another line."""

    def compose(self) -> ComposeResult:
        with Vertical():
            yield FilterBar()
        yield Input(id="other")


async def focused(pilot: Pilot, line: FilterBar) -> None:
    line.focus()
    await pilot.pause()
    assert pilot.app.focused is line


async def test_a_widget_that_is_shown_keeps_the_focus():
    async with _Two().run_test() as pilot:
        line = pilot.app.query_one(FilterBar)
        await focused(pilot, line)
        line.post_message(events.Hide())
        await pilot.press("x")
        assert line.value == "x"


async def test_one_that_is_hidden_gives_it_away(until):
    async with _Two().run_test() as pilot:
        line = pilot.app.query_one(FilterBar)
        await focused(pilot, line)
        line.display = False
        await until(pilot, lambda: pilot.app.focused is not line)


async def test_so_does_one_in_a_box_that_is_hidden(until):
    async with _Two().run_test() as pilot:
        line = pilot.app.query_one(FilterBar)
        await focused(pilot, line)
        pilot.app.query_one(Vertical).display = False
        await until(pilot, lambda: pilot.app.focused is not line)
