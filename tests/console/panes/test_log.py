import pytest
from textual import events

from fluxcore.handle.logline import LogEntry
from fluxtop.data.log import LogBatch, LogWatch

pytestmark = pytest.mark.usefixtures("quick")


def line(text: str, severity: int = 6) -> LogEntry:
    return LogEntry(severity, "2026-11-22T11:26:00.5Z", "0", "broker", text)


async def test_lines_are_shown_with_time_rank_level_and_module(pilot, see):
    screen = await see(pilot, "lost contact")
    (found,) = [line for line in screen.splitlines() if "unresponsive" in line]
    assert found.strip("│").split()[:4] == ["11:25:30", "0", "warning", "overlay"]


async def test_new_lines_are_followed(pilot, source, see):
    for n in range(100):
        source.say(LogWatch(0), LogBatch(False, (line(f"line {n}"),)))
    screen = await see(pilot, "line 99")
    assert "insmod" not in screen


async def test_a_pause_keeps_the_place_while_lines_come(pilot, source, see):
    source.say(LogWatch(0), LogBatch(False, tuple(line(f"line {n}") for n in range(100))))
    await see(pilot, "line 99")
    await pilot.press("5", "p")
    await see(pilot, "paused")
    source.say(LogWatch(0), LogBatch(False, tuple(line(f"more {n}") for n in range(100))))
    screen = await see(pilot, "line 99")
    assert "more 50" not in screen
    await pilot.press("p")
    await see(pilot, "more 99")


async def test_moving_up_is_a_pause_and_the_end_is_not(pilot, source, see):
    await pilot.press("5", "k")
    await see(pilot, "paused")
    await pilot.press("p")
    screen = await see(pilot, "lost contact")
    assert "paused" not in screen


async def test_less_is_shown_level_by_level(pilot, see):
    await pilot.press("5", "v")
    screen = await see(pilot, "info and worse")
    assert "insmod heartbeat" not in screen
    await pilot.press("v", "v")
    screen = await see(pilot, "err and worse", "lost contact")
    assert "unresponsive" not in screen
    await pilot.press("v")
    await see(pilot, "insmod heartbeat")


async def test_a_level_that_hides_every_line_says_so(pilot, source, see):
    source.forget(LogWatch(0))
    source.say(LogWatch(0), LogBatch(True, (line("only this"),)))
    await pilot.press("5", "v", "v")
    await see(pilot, "warning and worse", "nothing matches")
    await pilot.press("v", "v")
    await see(pilot, "only this")


async def test_the_log_of_the_chosen_rank(pilot, source, see):
    source.say(LogWatch(1), LogBatch(True, (line("from rank one"),)))
    await pilot.press("j", "enter", "5", "r")
    await see(pilot, "from rank one", "rank 1 ")
    await pilot.press("r")
    await see(pilot, "lost contact")


async def test_escape_sequences_in_a_line_do_nothing(pilot, source, see):
    source.say(LogWatch(0), LogBatch(False, (line("bad \x1b[2J\x07 line"),)))
    await see(pilot, "bad ·[2J· line")


async def test_looking_back_with_the_wheel_is_a_pause(pilot, source, see):
    source.say(LogWatch(0), LogBatch(False, tuple(line(f"line {n}") for n in range(100))))
    await see(pilot, "line 99")
    table = pilot.app.dashboard.get("log").body
    table.post_message(
        events.MouseScrollUp(table, 5, 3, 0, -1, 0, False, False, False, screen_x=5, screen_y=33)
    )
    await see(pilot, "line 93")
    source.say(LogWatch(0), LogBatch(False, (line("one more"),)))
    screen = await see(pilot, "paused")
    assert "one more" not in screen


async def test_a_long_line_is_shown_whole(make_app, source, see):
    source.say(LogWatch(0), LogBatch(False, (line("begin " + "x" * 150 + " end"),)))
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        screen = await see(pilot, "begin xxx")
        assert "xxx end" not in screen
        await pilot.press("5", "enter")
        await see(pilot, "x end")
