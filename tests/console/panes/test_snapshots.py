"""Every pane as a picture. After a change that is meant: ``pytest --snapshot-update``, and look."""

from collections.abc import Callable

import pytest

from fluxcore.job.eventlog import Event
from fluxtop.data.connection import Cause
from fluxtop.data.job import Happened, JobDocument, JobWatch
from fluxtop.data.jobspecs import SubmitJob
from fluxtop.data.module_operations import LoadModule
from fluxtop.data.modules import ModuleStats
from fluxtop.data.trouble import Trouble

NOW = 1795346760.0
SMALL = ("rank 0, 10 modules", "latest")
READY = ("rank 0, 10 modules", "latest -> resource.R", "lost contact")


@pytest.fixture
def picture(make_app, source, see, snap_compare) -> Callable[..., bool]:
    """Compare the screen after ``keys`` with the picture that was accepted.

    Each group of keys is pressed once the text before it is on the screen.
    """

    def compare(*steps: object, size: tuple[int, int] = (120, 40), ready=READY, **options) -> bool:
        async def prepare(pilot):
            await see(pilot, *ready)
            for step in steps:
                if callable(step):
                    step()
                elif isinstance(step, list):
                    await pilot.press(*step)
                else:
                    await see(pilot, step)
            await pilot.pause()

        app = make_app(source, **options)
        app.animation_level = "none"
        return snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


def test_dashboard(picture):
    assert picture()


def test_dashboard_80x24(picture):
    assert picture(size=(80, 24), ready=SMALL)


def test_dashboard_60x15(picture):
    assert picture(size=(60, 15), ready=("3 node3",))


def test_dashboard_200x60(picture):
    assert picture(["3", "end", "right"], "eventlog", ["down", "enter"], "R_lite", size=(200, 60))


def test_dashboard_light(picture):
    assert picture(theme="fluxtop-light")


def test_dashboard_ascii(picture):
    assert picture(plain=True)


def test_dashboard_read_only(picture):
    assert picture(["2"], "s Stats", read_only=True)


def test_dashboard_lost(picture, source):
    def lose():
        source.move(Cause.LOST, NOW - 12, Trouble(104, "Connection reset by peer"))

    assert picture(lose, "lost 12s ago")


def test_tbon_zoomed(picture):
    assert picture(["z"], "1 TBON  2 Modules")


def test_modules_reload(picture):
    assert picture(["2", "j", "j", "j", "R"], "flux module reload heartbeat")


def test_modules_remove_vital(picture):
    assert picture(["2", "j", "X"], "Type content to confirm", size=(80, 24), ready=SMALL)


def test_modules_failure(picture, source):
    def fail(_operation):
        raise FileNotFoundError(2, "module not found in search path")

    source.answer(LoadModule, fail)
    assert picture(["2", "L"], "Name, or path", [*"nosuch", "enter"], "ENOENT")


def test_modules_stats(picture, source):
    source.say(ModuleStats(0, "heartbeat"), {"period": 2.0, "timeout": 300.0, "count": 1850})
    assert picture(["2", "j", "j", "j", "s"], '"count": 1850')


def test_kvs_value(picture):
    assert picture(["3", "end", "right"], "eventlog", ["down", "enter"], "R_lite")


def test_kvs_filter(picture):
    assert picture(["3", "slash", *"res"], "/res")


def test_job(picture):
    assert picture(["4", "enter"], "epoch 2")


def test_jobspec(picture, source):
    source.answer(SubmitJob, lambda _operation: 13336259330049)
    assert picture(["8"], "valid  1 slot")


def test_jobspec_fault(picture):
    keys = ["ctrl+home", "down", "down", "end", "backspace", "7"]
    assert picture(["8"], "valid  1 slot", keys, "version must be 1", ["escape"])


def test_jobspec_submitted(picture, source):
    source.answer(SubmitJob, lambda _operation: 13336259330049)
    source.answer(JobDocument, lambda _operation: "{}")
    submit = Event(1.0, "submit", {"userid": 0, "urgency": 16})
    source.say(JobWatch(13336259330049), Happened(True, (submit,)))
    assert picture(["8"], "valid  1 slot", ["f2"], "7 Job", "urgency=16")


def test_log_zoomed(picture):
    assert picture(["5", "z"], "1 TBON  2 Modules")


def test_help(picture):
    assert picture(["2", "question_mark"], "Reload the module")
