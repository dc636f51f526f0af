import asyncio
import errno

import pytest

from fluxtop.data.module_operations import (
    DebugFlags,
    LoadModule,
    ReloadModule,
    RemoveModule,
)
from fluxtop.data.modules import ModuleList, ModuleRow, ModulesOf, ModuleStats
from fluxtop.data.trouble import Trouble

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
async def pilot(pilot, see):
    await pilot.press("2")
    await see(pilot, "R Reload")
    return pilot


async def test_modules_are_listed_with_idle_state_and_services(make_app, source, see):
    async with make_app(source).run_test(size=(140, 40), notifications=True) as pilot:
        screen = await see(pilot, "rank 0, 10 modules", "◌ init")
    (line,) = [line for line in screen.splitlines() if "content-sqlite" in line]
    assert line.split("││")[1].split() == [
        *("content-sqlite", "3s", "R", "●", "running", "0", "0", "content-backing", "│")
    ]


async def test_reload_asks_first_and_shows_the_command(pilot, source, see):
    await pilot.press("j", "j", "j", "R")
    await see(pilot, "$ flux module reload heartbeat")
    assert not any(isinstance(call, ReloadModule) for call in source.calls)
    await pilot.press("enter")
    await see(pilot, "heartbeat is reloaded on rank 0")
    assert source.calls[-1] == ReloadModule(0, "heartbeat", "heartbeat")


async def test_reload_takes_arguments_and_offers_them_again(pilot, source, see):
    await pilot.press("j", "j", "j", "R")
    await see(pilot, "Arguments")
    await pilot.press(*"period=1s")
    await see(pilot, "$ flux module reload heartbeat period=1s")
    await pilot.press("enter")
    await see(pilot, "heartbeat is reloaded on rank 0")
    assert source.calls[-1].args == ("period=1s",)
    await pilot.press("R")
    await see(pilot, "$ flux module reload heartbeat period=1s")


async def test_arguments_that_were_typed_and_left_are_not_offered_again(pilot, see, screen_text):
    await pilot.press("j", "j", "j", "R")
    await see(pilot, "Arguments")
    await pilot.press(*"period=1s", "escape")
    await see(pilot, "R Reload")
    await pilot.press("R")
    await see(pilot, "$ flux module reload heartbeat")
    assert "period=1s" not in screen_text(pilot)


async def test_arguments_of_a_load_are_offered_by_the_reload(pilot, source, see):
    path = "/home/me/clock.py"
    await pilot.press("colon", *f"load {path} 'two words'", "enter")
    await see(pilot, f"$ flux module load {path} 'two words'")
    await pilot.press("enter")
    await see(pilot, "loaded on rank 0")
    rows = (*source.said(ModulesOf(0))[0].rows, ModuleRow("clock", path, 0, 1, (), 0, 0))
    source.say(ModulesOf(0), ModuleList(0, rows))
    await see(pilot, "rank 0, 11 modules")
    await pilot.press("g", "R")
    await see(pilot, f"$ flux module reload {path} 'two words'")


async def test_the_cursor_goes_back_to_a_module_that_went_and_came_back(pilot, source, see):
    rows = source.said(ModulesOf(0))[0].rows
    without = tuple(row for row in rows if row.name != "heartbeat")

    def reload(_operation):
        source.forget(ModulesOf(0))
        source.say(ModulesOf(0), ModuleList(0, without))

    source.answer(ReloadModule, reload)
    await pilot.press("j", "j", "j", "R")
    await see(pilot, "$ flux module reload heartbeat")
    await pilot.press("enter")
    await see(pilot, "rank 0, 9 modules")
    source.say(ModulesOf(0), ModuleList(0, rows))
    await see(pilot, "rank 0, 10 modules")
    await pilot.press("X")
    await see(pilot, "$ flux module remove heartbeat")


async def test_a_filter_whose_module_goes_matches_nothing(pilot, source, see):
    rows = source.said(ModulesOf(0))[0].rows
    await pilot.press("slash", *"heartb", "enter")
    source.say(ModulesOf(0), ModuleList(0, tuple(row for row in rows if row.name != "heartbeat")))
    await see(pilot, "/heartb  rank 0, 9 modules", "nothing matches")
    source.say(ModulesOf(0), ModuleList(0, rows))
    await see(pilot, "rank 0, 10 modules", "heartbeat ")


async def test_debug_flags_that_are_no_number_are_told(pilot, source, see, changes):
    source.answer(DebugFlags, lambda _operation: 0)
    await pilot.press("j", "d")
    await see(pilot, "$ flux module debug --set 0x0 content")
    await pilot.press("end", "y")
    await see(pilot, "0x0y is no number")


async def test_a_failure_is_shown_with_errno_and_text_and_can_be_mended(pilot, source, see):
    def fail(_operation):
        raise FileNotFoundError(errno.ENOENT, "module not found in search path")

    source.answer(LoadModule, fail)
    await pilot.press("L")
    await see(pilot, "Name, or path of a file")
    await pilot.press(*"nosuch", "enter")
    await see(pilot, "ENOENT: module not found in search path")
    source.answer(LoadModule, lambda _operation: None)
    await pilot.press("end", "2", "enter")
    await see(pilot, "loaded on rank 0")
    assert source.calls[-1] == LoadModule(0, "nosuch2")


async def test_a_module_that_the_instance_needs_goes_only_after_its_name_is_typed(
    pilot, source, see, until, changes
):
    await pilot.press("slash", *"job-man", "enter")
    await see(pilot, "/job-man")
    await pilot.press("X")
    await see(pilot, "$ flux module remove job-manager")
    await pilot.press("enter")
    await see(pilot, "type job-manager to confirm")
    assert changes() == []
    await pilot.press(*"job-manager", "enter")
    await until(pilot, lambda: changes() == [RemoveModule(0, "job-manager")])


async def test_escape_leaves_without_doing_anything(pilot, source, see, screen_text, changes):
    await pilot.press("X")
    await see(pilot, "Remove config")
    await pilot.press("escape")
    await see(pilot, "R Reload")
    assert "Remove config" not in screen_text(pilot)
    assert changes() == []


async def test_an_unclosed_quote_is_told(pilot, source, see, changes):
    await pilot.press("L")
    await see(pilot, "Name, or path of a file")
    await pilot.press(*"x", "tab", "quotation_mark", "a", "enter")
    await see(pilot, "arguments: No closing quotation")
    assert changes() == []


async def test_the_modules_of_another_rank_come_from_the_tree(pilot, source, see):
    await pilot.press("1", "j", "enter")
    await see(pilot, "rank 1, 2 modules")
    assert ModulesOf(0) not in source.watched
    await pilot.press("R")
    await see(pilot, "$ flux exec -r 1 flux module reload heartbeat")


async def test_the_next_and_previous_rank_are_a_key_away(pilot, see):
    await pilot.press("left_square_bracket")
    await see(pilot, " rank 3 ")
    await pilot.press("right_square_bracket", "right_square_bracket")
    await see(pilot, "rank 1, 2 modules")


async def test_a_rank_is_typed_as_a_command(pilot, see):
    await pilot.press("colon", *"rank 1", "enter")
    await see(pilot, "rank 1, 2 modules")
    await pilot.press("colon", *"rank 9", "enter")
    await see(pilot, "the ranks are 0 to 3")


async def test_the_cursor_stays_on_its_module_when_others_go(pilot, source, see):
    await pilot.press("j", "j", "j")
    source.say(ModulesOf(0), ModuleList(0, source.said(ModulesOf(0))[0].rows[3:]))
    await see(pilot, "rank 0, 7 modules")
    await pilot.press("R")
    await see(pilot, "Reload heartbeat on rank 0")


async def test_idle_falls_when_a_module_has_sent_something(pilot, source, see):
    rows = source.said(ModulesOf(0))[0].rows
    screen = await see(pilot, "12m 34s")
    assert "config" in next(line for line in screen.splitlines() if "12m 34s" in line)
    source.say(ModulesOf(0), ModuleList(0, rows[1:]))
    await see(pilot, "rank 0, 9 modules")


async def test_statistics_are_shown_alive(pilot, source, see, until):
    subject = ModuleStats(0, "heartbeat")
    await pilot.press("j", "j", "j", "s")
    source.say(subject, {"period": 2.0, "count": 7})
    await see(pilot, '"count": 7')
    source.say(subject, {"period": 2.0, "count": 8})
    await see(pilot, '"count": 8')
    await pilot.press("escape")
    await until(pilot, lambda: subject not in source.watched)


async def test_debug_flags_are_read_and_set(pilot, source, see):
    source.answer(DebugFlags, lambda operation: 0x10 if operation.flags is None else 0)
    await pilot.press("j", "d")
    await see(pilot, "$ flux module debug --set 0x10 content")
    await pilot.press("end", "backspace", "3", "enter")
    await see(pilot, "content: debug flags are set")
    assert source.calls[-1] == DebugFlags(0, "content", 0x13)


async def test_a_service_that_fails_leaves_the_last_rows_and_says_why(pilot, source, see):
    source.say(ModulesOf(0), Trouble(errno.EHOSTUNREACH, "No route to host"))
    await see(pilot, "EHOSTUNREACH: No route to host", "rank 0, 10 modules", "heartbeat")


async def test_modules_are_sorted_by_the_next_column(pilot, see):
    await pilot.press("o")
    screen = await see(pilot, "Idle*")
    places = [screen.index(name) for name in ("heartbeat ", "content-sqlite ", "config ")]
    assert places == sorted(places)


async def test_the_pane_follows_nothing_while_it_is_not_shown(pilot, source, until):
    await pilot.press("1", "z")
    await until(pilot, lambda: ModulesOf(0) not in source.watched)
    await pilot.press("z")
    await until(pilot, lambda: ModulesOf(0) in source.watched)


async def test_what_has_begun_goes_on_when_its_question_is_left(make_app, source, see):
    go_on = asyncio.Event()

    async def slow(_operation):
        await go_on.wait()
        raise FileNotFoundError(errno.ENOENT, "module not found (content is not loaded now)")

    source.answer(ReloadModule, slow)
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "heartbeat")
        await pilot.press("2", *"jjj", "R")
        await see(pilot, "$ flux module reload heartbeat")
        await pilot.press("enter", "escape")
        await see(pilot, "still reloading heartbeat")
        go_on.set()
        await see(pilot, "flux module reload heartbeat", "ENOENT: module not found")


async def test_the_name_to_be_typed_has_the_focus_when_it_is_missing(pilot, see, until, changes):
    await pilot.press("j", "R")
    await see(pilot, "$ flux module reload content", "Arguments")
    await pilot.press("enter", *"content", "enter")
    await until(pilot, lambda: [type(call) for call in changes()] == [ReloadModule])
    assert changes()[0].args == ()


@pytest.mark.parametrize("key", ["R", "X"])
async def test_what_we_are_connected_through_stays(make_app, source, see, key):
    rows = (ModuleRow("connector-local", "/usr/lib/x.so", 1, 1, (), 0, 0),)
    source.forget(ModulesOf(0))
    source.say(ModulesOf(0), ModuleList(0, rows))
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "connector-local")
        await pilot.press("2", key)
        await see(pilot, "fluxtop is connected through it")
