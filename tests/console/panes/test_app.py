import errno

import pytest
from textual import events
from textual.geometry import Size

from fluxtop.data.connection import Cause
from fluxtop.data.instance import Instance, InstanceWatch, Pulse
from fluxtop.data.jobs import CountActive
from fluxtop.data.modules import ModulesOf
from fluxtop.data.trouble import Trouble
from fluxtop.theming import load

pytestmark = pytest.mark.usefixtures("quick")

NOW = 1795346760.0
GONE = Trouble(errno.ECONNRESET, "Connection reset by peer")


async def test_the_header_tells_what_the_instance_is(pilot, see):
    screen = await see(pilot, "● connected")
    header = screen.splitlines()[0]
    for text in ("4 brokers", "run", "up 1h 01m", "local:///run/flux/local", "depth 0", "♥ 0s"):
        assert text in header


async def test_an_embedded_instance_says_so(make_app, source, see):
    async with make_app(source, embedded=True).run_test(size=(120, 40)) as pilot:
        await see(pilot, "embedded, ends with fluxtop")


async def test_a_follower_says_which_rank_it_is(make_app, source, see):
    source.say(InstanceWatch(), Instance(2, 4, 0, "/", "0.88.0", None))
    async with make_app(source).run_test(size=(120, 40)) as pilot:
        await see(pilot, "4 brokers from rank 2")
        await pilot.press("2", "j", "R")
        await see(pilot, "$ flux exec -r 0 flux module reload content")


async def test_a_lost_connection_keeps_the_data_and_says_since_when(pilot, source, see):
    source.move(Cause.LOST, NOW - 12, GONE)
    await see(pilot, "✖ lost 12s ago", "retry in 0s", "heartbeat", "train", "2 node2")
    source.move(Cause.ELAPSED, NOW)
    source.move(Cause.ANSWERED, NOW)
    await see(pilot, "● connected")


async def test_actions_that_need_the_connection_are_gone_while_it_is(pilot, source, see, changes):
    await pilot.press("2")
    await see(pilot, "R Reload")
    source.move(Cause.LOST, NOW, GONE)
    screen = await see(pilot, "lost 0s ago")
    assert "R Reload" not in screen
    await pilot.press("R")
    await pilot.pause()
    assert changes() == []


async def test_another_instance_is_shown_from_nothing(pilot, source, see, until, tmp_path):
    other = tmp_path / "other"
    other.touch()
    source.say(ModulesOf(0), Trouble(errno.ENOSYS, "not yet"))
    await see(pilot, "ENOSYS: not yet")
    source.forget(ModulesOf(0))
    await pilot.press("colon", *f"attach local://{other}", "enter")
    screen = await see(pilot, "asking rank 0")
    assert source.connection.uri == f"local://{other}"
    assert "heartbeat" not in screen.split("5 Log")[0]


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("bogus", "bogus: not a local:// URI"),
        ("local:///nonexistent/x", "local:///nonexistent/x: there is no such broker"),
        ("-", "no other instance was shown before"),
    ],
)
async def test_an_instance_that_is_not_there_is_not_gone_to(make_app, source, see, uri, why):
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "heartbeat")
        await pilot.press("colon", *f"attach {uri}", "enter")
        await see(pilot, why, "heartbeat")
        assert source.connection.uri == "local:///run/flux/local"


async def test_the_instance_that_was_left_is_gone_back_to(pilot, source, see, until, tmp_path):
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.touch()
        await pilot.press("colon", *f"attach local://{path}", "enter")
        await until(pilot, lambda uri=f"local://{path}": source.connection.uri == uri)
    await pilot.press("colon", *"attach -", "enter")
    await until(pilot, lambda: source.connection.uri == f"local://{paths[0]}")


async def test_an_instance_that_does_not_start_says_what_it_said(make_app, see):
    from fluxtop.data.scripted import ScriptedSource

    source = ScriptedSource()
    source.run = source._ended.wait
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "connecting")
        source._connection = type(source.connection)()
        source.move(Cause.UNLOCATED, NOW, Trouble(errno.ECHILD, "the instance did not start: no"))
        await see(pilot, "failed", "the instance did not start: no")


async def test_a_pane_takes_the_screen_and_gives_it_back(pilot, see):
    await pilot.press("5", "z")
    screen = await see(pilot, "1 TBON  2 Modules  3 KVS")
    assert "heartbeat" not in screen.replace("insmod heartbeat", "")
    await pilot.press("2")
    await see(pilot, "sched-simple", "1 TBON  2 Modules")
    await pilot.press("q")
    await see(pilot, "╭─ 5 Log")


@pytest.mark.parametrize(
    ("size", "texts"),
    [
        ((60, 15), ["1 TBON  2 Modules  3 KVS", "3 node3", "enter Choose"]),
        ((80, 24), ["╭─ 1 TBON", "╭─ 2 Modules", "╭─ 3 KVS", "╭─ 4 Jobs", "╭─ 5 Log"]),
        ((200, 60), ["╭─ 5 Log", "sched-simple", "depth 0"]),
    ],
)
async def test_every_size_shows_something_of_use(make_app, source, see, size, texts):
    async with make_app(source).run_test(size=size) as pilot:
        await see(pilot, *texts)


async def test_a_terminal_that_changes_its_size_gets_what_fits_it(pilot, see, screen_text):
    for size, strip in ((Size(60, 15), True), (Size(120, 40), False), (Size(70, 24), True)):
        # As a terminal tells it; the pilot's own way sets the size before anybody is told.
        pilot.app._driver.send_message(events.Resize(size, size))
        await see(pilot, "1 TBON  2 Modules" if strip else "╭─ 2 Modules")
        assert ("1 TBON  2 Modules" in screen_text(pilot)) is strip


async def test_a_question_fits_a_small_terminal(make_app, source, see):
    async with make_app(source).run_test(size=(60, 15)) as pilot:
        await see(pilot, "3 node3")
        await pilot.press("2")
        await see(pilot, "config")
        await pilot.press("R")
        await see(pilot, "$ flux module reload config", "Type config to confirm", "esc: leave")


async def test_what_is_opened_beside_everything_on_a_wide_terminal(make_app, source, see):
    async with make_app(source).run_test(size=(200, 60)) as pilot:
        await see(pilot, "greeting")
        await pilot.press("3", "down", "enter")
        await see(pilot, "╭─ 2 Modules", "╭─ 6 Value", "hello 🥔")


async def test_help_shows_the_keys_of_the_pane_first(pilot, see):
    await pilot.press("2", "question_mark")
    screen = await see(pilot, "Reload the module", "esc: leave")
    assert screen.index("Reload the module") < screen.index("Everywhere")
    await pilot.press("escape")
    await see(pilot, "R Reload")


async def test_the_palette_carries_out_an_action_of_any_pane(pilot, see):
    await pilot.press("ctrl+p")
    await see(pilot, "What to do")
    await pilot.press(*"load a module")
    await see(pilot, "Modules: Load a module")
    await pilot.press("enter", "enter")
    await see(pilot, "Name, or path of a file")


async def test_a_command_with_an_argument(pilot, see):
    await pilot.press("colon", *"load heartbeat period=1s", "enter")
    await see(pilot, "$ flux module load heartbeat period=1s")


async def test_an_unknown_command_is_told(pilot, see):
    await pilot.press("colon", *"frobnicate", "enter")
    await see(pilot, "no such command: frobnicate")


async def test_the_command_line_is_left_by_escape(pilot, see, screen_text):
    await pilot.press("colon", "x", "escape")
    await see(pilot, "enter Choose")


async def test_the_theme_is_changed_and_a_wrong_name_told(pilot, see):
    await pilot.press("colon", *"theme fluxtop-light", "enter")
    await see(pilot, "enter Choose")
    assert pilot.app.theme == "fluxtop-light"
    await pilot.press("colon", *"theme nosuch", "enter")
    await see(pilot, "no theme nosuch; there are fluxtop-dark, fluxtop-light")


async def test_a_theme_that_says_little_takes_the_rest_from_the_default(
    make_app, source, see, tmp_path
):
    (tmp_path / "mine.toml").write_text('[colors]\nprimary = "#ff00ff"\n')
    app = make_app(source, themes={"mine": load(tmp_path / "mine.toml")}, theme="mine")
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "● full", "heartbeat")


async def test_a_read_only_console_changes_nothing(make_app, source, see, changes):
    async with make_app(source, read_only=True).run_test(size=(120, 40)) as pilot:
        await see(pilot, "read-only", "rank 0, 10 modules")
        await pilot.press("2")
        screen = await see(pilot, "s Stats")
        assert "Reload" not in screen
        await pilot.press("R", "X", "L", "4", "X", "n")
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("colon", *"load x", "enter")
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 1
        assert changes() == []


async def test_keys_are_the_users(make_app, source, see):
    keymap = {"modules.reload": "u"}
    async with make_app(source, keymap=keymap).run_test(size=(120, 40)) as pilot:
        await see(pilot, "rank 0, 10 modules")
        await pilot.press("2", "R")
        await see(pilot, "u Reload")
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("u")
        await see(pilot, "$ flux module reload config")


async def test_ascii_only_means_ascii_only(make_app, source, see):
    async with make_app(source, plain=True).run_test(size=(120, 40)) as pilot:
        screen = await see(pilot, "* full", "|- 1 node1", "f73Kca1XV", "> run")
        assert screen.replace("ƒ", "f").isascii()


async def test_without_color_nothing_is_lost(make_app, source, see, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with make_app(source).run_test(size=(120, 40)) as pilot:
        await see(pilot, "● full", "✖ failed", "◌ init")


async def test_a_heartbeat_is_seen(make_app, source, see):
    async with make_app(source).run_test(size=(120, 40)) as pilot:
        await see(pilot, "♥ 0s")
        source.say(InstanceWatch(), Pulse(1851))
        await see(pilot, "♥ 0s")


async def test_q_at_the_top_says_how_to_leave_and_Q_leaves(pilot, see):
    await pilot.press("q")
    await see(pilot, "Q leaves fluxtop")
    await pilot.press("Q")
    await pilot.pause()
    assert pilot.app._exit


async def test_jobs_that_would_end_with_the_console_are_told_first(make_app, source, see):
    source.answer(CountActive, lambda _operation: 2)
    async with make_app(source, embedded=True).run_test(
        size=(120, 40), notifications=True
    ) as pilot:
        await see(pilot, "embedded")
        await pilot.press("Q")
        await see(pilot, "2 jobs end with the instance; Q again leaves")
        assert not pilot.app._exit
        await pilot.press("Q")
        assert pilot.app._exit


async def test_an_embedded_instance_without_jobs_keeps_nobody(make_app, source, see, until):
    source.answer(CountActive, lambda _operation: 0)
    async with make_app(source, embedded=True).run_test(size=(120, 40)) as pilot:
        await see(pilot, "embedded")
        await pilot.press("Q")
        await until(pilot, lambda: pilot.app._exit)


async def test_neither_does_one_that_has_ended(make_app, source, see, until):
    async with make_app(source, embedded=True).run_test(size=(120, 40)) as pilot:
        await see(pilot, "embedded")
        source.move(Cause.LOST, NOW, Trouble(errno.ECHILD, "the embedded instance has ended"))
        await pilot.press("Q")
        await until(pilot, lambda: pilot.app._exit)


async def test_jobs_that_may_end_with_the_console_are_told_of_too(make_app, source, see):
    def count(_operation):
        raise TimeoutError(errno.ETIMEDOUT, "no answer in 1s")

    source.answer(CountActive, count)
    async with make_app(source, embedded=True).run_test(
        size=(120, 40), notifications=True
    ) as pilot:
        await see(pilot, "embedded")
        await pilot.press("Q")
        await see(pilot, "whether jobs end with the instance is unknown", "Q again")
        assert not pilot.app._exit
        await pilot.press("Q")
        assert pilot.app._exit


async def test_an_embedded_instance_ends_though_another_one_is_shown(
    make_app, source, see, tmp_path
):
    other = tmp_path / "other"
    other.touch()
    async with make_app(source, embedded=True).run_test(
        size=(120, 40), notifications=True
    ) as pilot:
        await see(pilot, "embedded")
        await pilot.press("colon", *f"attach local://{other}", "enter")
        await see(pilot, "connecting", "enter Choose")
        await pilot.press("Q")
        await see(pilot, "the embedded instance ends too")
        assert not pilot.app._exit


async def test_a_broker_that_does_not_answer_is_told(pilot, source, see, until, screen_text):
    source.say(InstanceWatch(), Trouble(errno.ETIMEDOUT, "state-machine.get: no answer in 5s"))
    await see(pilot, "ETIMEDOUT: state-machine.get: no answer in 5s", "✖ not answering")
    source.say(InstanceWatch(), Pulse(1852))
    await until(pilot, lambda: "ETIMEDOUT" not in screen_text(pilot))


async def test_panes_are_reached_by_tab_too(pilot, see):
    await pilot.press("tab")
    await see(pilot, "enter Open")
    await pilot.press("tab")
    await see(pilot, "R Reload")


@pytest.mark.parametrize("word", ["get", "rank", "attach"])
async def test_a_command_without_its_argument_asks_for_it(pilot, until, word):
    await pilot.press("colon", *word, "enter")
    await until(pilot, lambda: getattr(pilot.app.focused, "value", "") == f"{word} ")


async def test_a_command_line_asked_for_again_is_not_left_by_a_late_hide(pilot, until):
    await pilot.press("colon", "x", "enter")
    await pilot.press("colon", "g")
    await until(pilot, lambda: getattr(pilot.app.focused, "value", "") == "g")
    line = pilot.app.focused
    line.post_message(events.Hide())
    await pilot.press("e", "t")
    assert pilot.app.focused is line
    assert line.value == "get"


async def test_a_pane_gone_back_to_is_not_left_by_a_late_hide(make_app, source):
    async with make_app(source).run_test(size=(60, 20)) as pilot:
        await pilot.press("2", "1", "2")
        table = pilot.app.focused
        table.post_message(events.Hide())
        await pilot.press("j")
        assert pilot.app.focused is table


async def test_the_uri_is_shown_whole_and_copied(make_app, source, see):
    uri = f"local:///tmp/{'long' * 15}/local-0"
    source.switch(uri)
    async with make_app(source).run_test(size=(80, 24), notifications=True) as pilot:
        await see(pilot, "enter Choose")
        await pilot.press("colon", *"uri", "enter")
        await see(pilot, "copied", "/local-0")
        assert pilot.app.clipboard == uri
