from types import MappingProxyType

import pytest

from fluxcore.cli.errors import CommandError
from fluxcore.cli.job.ids import id_text
from fluxcore.cli.jobs.fields import FIELDS, find_field, heading, needed_attrs, value
from fluxcore.cli.jobs.listed_job import ListedJob
from fluxcore.cli.jobs.query import build_constraint, parse_since
from fluxcore.cli.jobs.record import job_record
from fluxcore.cli.jobs.stats import Stats, read_stats
from fluxcore.cli.options import Parsed
from fluxcore.job import states

NOW = 1000.0
RUNNING = MappingProxyType(
    {
        "id": 1234567,
        "userid": 0,
        "urgency": 16,
        "priority": 16,
        "state": states.RUN,
        "name": "sleep",
        "ntasks": 2,
        "nnodes": 1,
        "nodelist": "vm",
        "duration": 60.0,
        "t_submit": 900.0,
        "t_run": 990.0,
        "expiration": 1050.0,
    }
)
ENDED = MappingProxyType(
    {**RUNNING, "state": states.INACTIVE, "result": states.COMPLETED, "t_cleanup": 995.5}
    | {"waitstatus": 0, "success": True}
)


def job(base=RUNNING, **attrs) -> ListedJob:
    return ListedJob({**base, **attrs}, NOW, {0: "root"}.__getitem__)


def failed(**attrs) -> ListedJob:
    return job(ENDED, **{"result": states.FAILED, "success": False, **attrs})


def test_a_running_job():
    running = job()
    assert (running.status, running.status_letters) == ("RUN", "R")
    assert (running.result, running.result_letters, running.returncode) == ("", "", "")
    assert (running.runtime, running.t_remaining, running.contextual_time) == (10.0, 50.0, 10.0)
    assert (running.contextual_info, running.username) == ("vm", "root")
    assert running.inactive_reason == ""


def test_a_job_that_has_ended():
    ended = job(ENDED)
    assert (ended.status, ended.status_letters, ended.returncode) == ("COMPLETED", "CD", 0)
    assert (ended.runtime, ended.t_remaining) == (5.5, 0.0)
    assert ended.inactive_reason == "Exit 0"


@pytest.mark.parametrize(
    ("attrs", "info"),
    [
        ({"state": states.PRIORITY}, "priority-wait"),
        ({"state": states.DEPEND, "dependencies": ["after=1", "x"]}, "depends:after=1,x"),
        ({"state": states.SCHED, "urgency": 0}, "held"),
        ({"state": states.SCHED, "priority": 0}, "priority-hold"),
        ({"state": states.SCHED}, ""),
        ({"state": states.SCHED, "annotations": {"sched": {"t_estimate": 990.0}}}, "eta:now"),
        ({"state": states.SCHED, "annotations": {"sched": {"t_estimate": 1090}}}, "eta:1.5m"),
        ({"state": states.CLEANUP}, "vm"),
    ],
)
def test_what_a_job_waits_for_is_told_by_its_state(attrs, info):
    assert job(**attrs).contextual_info == info


def test_a_waiting_job_shows_its_time_limit():
    assert job(state=states.SCHED).contextual_time == 60.0


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (failed(waitstatus=3 << 8), "Exit 3"),
        (failed(waitstatus=127 << 8), "command not found"),
        (failed(waitstatus=126 << 8), "Command invoked cannot execute"),
        (failed(waitstatus=137 << 8), "Killed"),
        (failed(waitstatus=""), "Exit 1"),
        (
            failed(
                exception_occurred=True,
                exception_severity=0,
                exception_type="alloc",
                exception_note="too big",
            ),
            "Exception: type=alloc note=too big",
        ),
        (job(ENDED, result=states.CANCELED), "Canceled"),
        (
            job(ENDED, result=states.CANCELED, exception_type="cancel", exception_note="enough"),
            "Canceled: enough",
        ),
        (job(ENDED, result=states.TIMEOUT), "Timeout"),
    ],
)
def test_why_a_job_has_ended(ended, reason):
    assert ended.inactive_reason == reason


@pytest.mark.parametrize(
    ("attrs", "code"),
    [
        ({"waitstatus": 9}, -9),
        ({"waitstatus": 3 << 8}, 3),
        ({"waitstatus": "", "result": states.CANCELED}, -128),
        ({"waitstatus": "", "result": states.FAILED}, 1),
    ],
)
def test_the_return_code_tells_how(attrs, code):
    assert job(ENDED, **attrs).returncode == code


def test_annotations_are_found_by_their_path():
    noted = job(annotations={"sched": {"x": {"y": 1}}, "user": {"uri": "ssh://vm//tmp/local-0"}})
    assert noted.annotation("sched.x.y") == 1
    assert noted.annotation("sched.x") == '{"y": 1}'
    assert noted.annotation("sched.nosuch.y") == ""
    assert noted.uri == "ssh://vm//tmp/local-0"
    assert noted.local_uri == "local:///tmp/local-0"
    assert job().uri == job().local_uri == ""


def test_the_time_of_a_dependency_is_readable(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    waiting = job(dependencies=["begin-time=1200.0", "begin-time=90061", "afterok=1"])
    assert waiting.dependencies == ["begin@00:20", "begin@Jan02-01:01:01", "afterok=1"]
    monkeypatch.undo()
    time.tzset()


# -- fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_has_a_heading_and_a_value_in_any_state(name):
    assert heading(name).isupper()
    for state in (states.DEPEND, states.SCHED, states.RUN, states.INACTIVE):
        value(job(state=state), name)


def test_fields_know_what_they_need():
    assert needed_attrs(["id", "name", "runtime"]) == ["name", "t_cleanup", "t_run"]
    assert needed_attrs(["annotations.a.b", "sched.c"]) == ["annotations"]


def test_any_annotation_is_a_field():
    noted = job(annotations={"sched": {"foo": 1}})
    assert (heading("sched.foo"), value(noted, "sched.foo")) == ("SCHED.FOO", 1)
    assert (heading("annotations.sched.foo"), value(noted, "annotations.sched.foo")) == (
        "SCHED.FOO",
        1,
    )
    assert heading("sched.resource_summary") == "RESOURCES"
    with pytest.raises(ValueError, match="Unknown format field: foo"):
        find_field("foo")


# -- queries --------------------------------------------------------------------------------


def parsed(**options: str | None) -> Parsed:
    made = Parsed()
    for name, text in options.items():
        made.add(name.replace("_", "-"), text)
    return made


MINE = {"userid": [1001]}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, [MINE, {"states": [62]}]),
        ({"all": None}, [MINE, {"states": [126]}]),
        ({"since": "0"}, [MINE, {"states": [126]}]),
        ({"all_users": None}, [{"states": [62]}]),
        ({"user": "all"}, [{"states": [62]}]),
        ({"user": "7"}, [{"userid": [7]}, {"states": [62]}]),
        ({"name": "x"}, [MINE, {"name": ["x"]}, {"states": [62]}]),
        ({"queue": "a,b"}, [MINE, {"queue": ["a", "b"]}, {"states": [62]}]),
        ({"filter": "Run,SCHED"}, [MINE, {"states": [24]}]),
        ({"filter": "failed,timeout"}, [MINE, {"results": [10]}]),
        ({"filter": "run,failed"}, [MINE, {"or": [{"states": [16]}, {"results": [2]}]}]),
        ({"include": "0-1"}, [{"ranks": ["0-1"]}, {"states": [62]}]),
        ({"include": "vm[0-1]"}, [{"hostlist": ["vm[0-1]"]}, {"states": [62]}]),
        ({"include": "0", "user": "7"}, [{"ranks": ["0"]}, {"userid": [7]}, {"states": [62]}]),
    ],
)
def test_options_become_a_constraint(options, parts):
    assert build_constraint(parsed(**options), 1001) == {"and": parts}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"filter": "zz"}, "Invalid filter specified: zz"),
        ({"user": "no such user"}, "Invalid user no such user specified"),
        ({"include": "["}, "-i/--include: invalid targets: ["),
    ],
)
def test_options_that_mean_nothing_are_named(options, text):
    with pytest.raises(CommandError) as caught:
        build_constraint(parsed(**options), 1001)
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("text", "since"),
    [("-10m", 400.0), ("12.5", 12.5), ("1970-01-01T00:01:00Z", 60.0), ("now", 1000.0)],
)
def test_a_time_is_a_number_a_date_or_so_long_ago(text, since):
    assert parse_since(text, NOW) == since


@pytest.mark.parametrize("text", ["+1m", "2000", "zz"])
def test_the_future_is_refused_and_so_is_nonsense(text):
    with pytest.raises(CommandError):
        parse_since(text, NOW)


# -- JSON and statistics --------------------------------------------------------------------


def test_a_record_leaves_out_what_is_not_set():
    assert job_record(job(annotations={"user": {"uri": "local:///x"}})) == {
        "duration": 60.0,
        "expiration": 1050.0,
        "name": "sleep",
        "ntasks": 2,
        "nnodes": 1,
        "priority": 16,
        "nodelist": "vm",
        "t_run": 990.0,
        "id": 1234567,
        "t_submit": 900.0,
        "t_remaining": 50.0,
        "state": "RUN",
        "username": "root",
        "userid": 0,
        "urgency": 16,
        "runtime": 10.0,
        "status": "RUN",
        "dependencies": [],
        "jobid": id_text(1234567),
        "annotations": {},
        "exception": {"occurred": False},
        "uri": "local:///x",
    }


def test_a_record_of_an_ended_job_tells_how_it_ended():
    record = job_record(failed(waitstatus=256, exception_occurred=True, exception_severity=0))
    assert (record["result"], record["returncode"], record["waitstatus"]) == ("FAILED", 1, 256)
    assert record["exception"] == {"occurred": True, "severity": 0, "type": "", "note": ""}


def counts(**states_: int) -> dict[str, object]:
    names = ("depend", "priority", "sched", "run", "cleanup", "inactive", "total")
    return {
        "job_states": {name: states_.get(name, 0) for name in names},
        "successful": 5,
        "failed": 2,
        "canceled": 1,
        "timeout": 1,
        "inactive_purged": 3,
    }


def test_statistics_sum_up():
    stats = read_stats(counts(run=1, cleanup=1, sched=2, depend=1))
    line = "2 running, 5 completed, 4 failed, 3 pending, 3 inactive purged"
    assert (stats.line(), stats.active) == (line, 5)
    assert Stats(1, 2, 3, 4, 5) + Stats(1, 1, 1, 1, 1) == Stats(2, 3, 4, 5, 6)
