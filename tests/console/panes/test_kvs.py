import errno

import pytest

from fluxtop.data.kvs import PRIMARY, Directories, Entry, KeyWatch, Listing, Root
from fluxtop.data.trouble import Trouble

pytestmark = pytest.mark.usefixtures("quick")


async def test_the_root_directory_is_listed(pilot, see):
    screen = await see(pilot, "primary v42")
    for line in ("▸ admin", "  greeting", "▸ job", "  latest -> resource.R", "▸ resource"):
        assert line in screen


async def test_a_key_opens_beside_the_tree(pilot, source, see):
    await pilot.press("3", "down", "down", "down", "down", "right")
    await see(pilot, "├─  R", "└─  eventlog", "7 blobs")
    await pilot.press("down", "enter")
    await see(pilot, '"R_lite": [', "resource.R  json, 120 B", "├─  R")
    await pilot.press("q")
    await see(pilot, "2 Modules")
    assert KeyWatch(PRIMARY, "resource.R") not in source.watched


async def test_a_value_changes_before_the_readers_eyes(pilot, source, see):
    await pilot.press("3", "down", "enter")
    await see(pilot, "hello 🥔", "greeting  text, 10 B")
    source.say(KeyWatch(PRIMARY, "greeting"), b"good bye")
    await see(pilot, "good bye", "changed 1x")


async def test_a_value_has_other_forms(pilot, see):
    await pilot.press("3", "down", "enter")
    await see(pilot, "greeting  text")
    await pilot.press("v")
    await see(pilot, "00000000  68 65 6c 6c 6f 20", "greeting  hex")
    await pilot.press("v")
    await see(pilot, "greeting  text")


async def test_a_key_is_opened_by_its_name(pilot, source, see):
    source.say(KeyWatch(PRIMARY, "a.b"), b"\x1b[31mred\x1b[0m")
    await pilot.press("colon", *"get a..b", "enter")
    await see(pilot, "a.b  hex, 12 B", "1b 5b 33 31")


async def test_a_key_that_is_gone_says_so(pilot, source, see):
    subject = KeyWatch(PRIMARY, "nosuch")
    source.say(subject, Trouble(errno.ENOENT, "No such file or directory"))
    await pilot.press("colon", *"get nosuch", "enter")
    await see(pilot, "ENOENT: No such file or directory")


async def test_new_keys_appear_and_the_cursor_stays(pilot, source, see):
    await pilot.press("3", "down", "down", "down")
    listing = Listing(
        ".", (Entry("aa", "dir"), Entry("latest", "link", target="x"), Entry("zz", "value"))
    )
    source.say(Directories(PRIMARY, frozenset({"."})), Root("sha1-b", 43), listing)
    await see(pilot, "primary v43", "▸ aa")
    await pilot.press("enter")
    await see(pilot, "reading latest")


async def test_a_filter_shows_only_keys_that_match(pilot, see):
    await pilot.press("3", "slash", *"greet", "enter")
    screen = await see(pilot, "/greet")
    assert "greeting" in screen
    assert "▸ admin" not in screen


async def test_an_unfolded_directory_is_followed_until_it_is_folded(pilot, source, see, until):
    both = Directories(PRIMARY, frozenset({".", "resource"}))
    await pilot.press("3", "end", "right")
    await until(pilot, lambda: both in source.watched)
    await pilot.press("left")
    await until(pilot, lambda: both not in source.watched)


async def test_a_key_that_is_not_there_says_so_until_it_is(pilot, source, see, screen_text):
    subject = KeyWatch(PRIMARY, "nosuch")
    await pilot.press("3", "down", "enter")
    await see(pilot, "greeting  text, 10 B")
    source.say(subject, None)
    await pilot.press("colon", *"get nosuch", "enter")
    await see(pilot, "there is no such key", " nosuch ─")
    assert "greeting  text" not in screen_text(pilot)
    source.say(subject, b"here")
    await see(pilot, "│ here", "nosuch  text, 4 B")


async def test_the_next_value_is_shown_from_its_start(pilot, source, see):
    source.say(KeyWatch(PRIMARY, "long"), "\n".join(f"line {n}" for n in range(500)).encode())
    source.say(KeyWatch(PRIMARY, "other"), "\n".join(f"other {n}" for n in range(500)).encode())
    await pilot.press("colon", *"get long", "enter")
    await see(pilot, "│ line 0 ")
    await pilot.press("end")
    await see(pilot, "│ line 499 ")
    await pilot.press("colon", *"get other", "enter")
    await see(pilot, "│ other 0 ")


async def test_an_eventlog_is_as_wide_as_its_lines(pilot, source, see):
    event = b'{"timestamp":1795346760.0,"name":"resource-define","context":{"method":"dynamic"}}\n'
    source.say(KeyWatch(PRIMARY, "log"), event)
    await pilot.press("colon", *"get log", "enter")
    await see(pilot, "resource-define method=dynamic")
    assert not pilot.app.focused.show_horizontal_scrollbar
