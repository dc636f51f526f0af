import errno

import pytest

from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec_text import load_text
from fluxtop.data.job import Happened, JobDocument, JobWatch
from fluxtop.data.jobspecs import SubmitJob
from fluxtop.panes.jobspec import DRAFT

pytestmark = pytest.mark.usefixtures("quick")

JOB = 13336259330049


@pytest.fixture
async def editor(pilot, source, see):
    source.answer(SubmitJob, lambda _operation: JOB)
    source.answer(JobDocument, lambda _operation: "{}")
    source.say(JobWatch(JOB), Happened(True, (Event(1.0, "submit", {"userid": 0}),)))
    await pilot.press("8")
    await see(pilot, "hello potato 🥔️🍠️", "valid  1 slot, 1 core, 1 task")
    return pilot


def submitted(source):
    return [call.jobspec for call in source.calls if isinstance(call, SubmitJob)]


@pytest.mark.parametrize("key", ["f2", "ctrl+s"])
async def test_saving_submits_and_opens_the_job(editor, source, see, key):
    await editor.press(key)
    await see(editor, "submitted ƒ73Kca1XW", "7 Job", "submit")
    (jobspec,) = submitted(source)
    assert jobspec["tasks"][0]["command"] == ["echo", "hello potato 🥔️🍠️"]
    assert jobspec["attributes"]["system"]["cwd"]
    assert "PATH" in jobspec["attributes"]["system"]["environment"]


async def test_w_on_the_command_line_submits_too(editor, source, see):
    await editor.press("escape", "colon", "w", "enter")
    await see(editor, "submitted ƒ73Kca1XW")
    assert len(submitted(source)) == 1


async def test_saving_again_submits_the_edited_one(editor, source, see):
    await editor.press("f2")
    await see(editor, "7 Job")
    await editor.press("8")
    await see(editor, "8 Jobspec")
    await editor.press("ctrl+home", *["down"] * 8, "end", "backspace", "2")
    await see(editor, "2 slots, 2 cores, 2 tasks")
    await editor.press("f2")
    await see(editor, "7 Job")
    first, second = submitted(source)
    assert first["resources"][0]["count"] == 1
    assert second["resources"][0]["count"] == 2


async def test_a_fault_is_told_with_its_line_and_nothing_is_submitted(editor, source, see):
    await editor.press("ctrl+home", "down", "down", "end", "backspace", "7")
    await see(editor, "line 3: version must be 1")
    await editor.press("f2")
    await see(editor, "line 3: version must be 1")
    assert submitted(source) == []


async def test_what_is_no_yaml_is_told_as_it_is_typed(editor, see):
    await editor.press("ctrl+home", "left_square_bracket")
    await see(editor, "line ")
    await editor.press("backspace")
    await see(editor, " valid ")


async def test_a_refusal_is_told_and_the_text_stays(editor, source, see):
    def refuse(_operation):
        raise OSError(errno.EINVAL, "'nosuch' is not a valid queue")

    source.answer(SubmitJob, refuse)
    await editor.press("f2")
    await see(editor, "EINVAL: 'nosuch' is not a valid queue", "8 Jobspec", "hello potato")


async def test_a_draft_survives(editor, another_source, make_app, see):
    await editor.press("ctrl+home", *"# mine ")
    await see(editor, "# mine # A job")
    await editor.press("escape")
    editor.app.dashboard.get("jobspec").save()
    assert editor.app.desk.drafts.load(DRAFT).startswith("# mine # A job")
    async with make_app(another_source).run_test(size=(120, 40)) as other:
        await see(other, "enter Choose")
        await other.press("8")
        await see(other, "# mine # A job")


async def test_the_template_replaces_the_text_and_undo_brings_it_back(editor, see):
    await editor.press("ctrl+home", *"# mine ")
    await see(editor, "# mine")
    await editor.press("f3")
    screen = await see(editor, "1  # A job")
    assert "# mine" not in screen
    await editor.press("ctrl+z")
    await see(editor, "# mine")


async def test_yaml_becomes_json_and_yaml_again(editor, see):
    await editor.press("f4")
    await see(editor, '"version": 1', "─ JSON ─")
    await editor.press("f4")
    await see(editor, "version: 1", "─ YAML ─")


async def test_letters_are_text_in_the_editor_and_keys_outside(editor, see):
    screen = await see(editor, "f2 Submit", "esc Back")
    assert "z Zoom" not in screen
    await editor.press("escape")
    await see(editor, "z Zoom")
    await editor.press("i", *"z9")
    await see(editor, "z9")


async def test_the_jobspec_of_a_job_is_edited(pilot, source, see):
    jobspec = '{"version": 1, "resources": []}'
    source.answer(JobDocument, lambda _operation: jobspec)
    await pilot.press("4", "enter")
    await see(pilot, "7 Job")
    await pilot.press("e")
    screen = await see(pilot, "8 Jobspec", '"resources": []')
    assert "JSON" in screen
    assert load_text(jobspec)["version"] == 1


async def test_the_draft_is_an_undo_away_from_the_jobspec_of_a_job(pilot, source, see):
    pilot.app.desk.drafts.save(DRAFT, "# mine\n")
    source.answer(JobDocument, lambda _operation: '{"version": 1, "resources": []}')
    await pilot.press("4", "enter")
    await see(pilot, "7 Job")
    await pilot.press("e")
    await see(pilot, '"resources": []')
    await pilot.press("ctrl+z")
    await see(pilot, "# mine")


async def test_what_nobody_has_seen_is_not_submitted(make_app, source, see):
    async with make_app(source).run_test(size=(120, 40), notifications=True) as pilot:
        await see(pilot, "enter Choose")
        await pilot.press("colon", "w", "enter")
        await see(pilot, "save again", "hello potato")
        assert submitted(source) == []


async def test_lines_are_counted_right_after_every_undo(editor, see, until):
    text = editor.app.focused
    for keys in (["enter", *"abc"], ["ctrl+z", "x"], ["ctrl+z"], ["ctrl+y", "ctrl+z"]):
        await editor.press(*keys)
        await editor.pause(0.01)
        assert text.wrapped_document.height == text.document.line_count
    await editor.press(*["pagedown"] * 3, "end")
    await see(editor, "command: [echo")
