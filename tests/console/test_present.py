"""What presenters say, without a screen."""

import pytest

from fluxcore.handle.logline import LogEntry
from fluxcore.job.eventlog import Event
from fluxcore.job.jobspec_build import Options, from_command
from fluxcore.job.jobspec_counts import total
from fluxcore.resource.idset import IdSet
from fluxtop.cells import plain_text
from fluxtop.data.connection import Cause, Connection, step
from fluxtop.data.instance import Instance, State
from fluxtop.data.log import LogRow
from fluxtop.data.output_model import OutputLine
from fluxtop.data.tbon_model import TbonRow
from fluxtop.data.trouble import Trouble
from fluxtop.glyphs import ASCII, STATE_ROLES, UNICODE
from fluxtop.present import header, json_text, log, tbon
from fluxtop.present.events import event_line
from fluxtop.present.job import asks_for
from fluxtop.present.jobs import how_it_ended, user_name
from fluxtop.present.output import output_line

GONE = Trouble(104, "Connection reset by peer")
INSTANCE = Instance(0, 4, 1, "/ƒ1", "0.88.0", 900.0)


def up() -> Connection:
    return step(step(Connection(), Cause.LOCATED, 0.0, uri="local:///x"), Cause.ANSWERED, 0.0)


def said(facts: header.HeaderFacts, now: float) -> tuple[str, str]:
    left = plain_text(header.left(facts, now, UNICODE))
    return left, plain_text(header.right(facts, now, UNICODE))


def test_the_header_of_an_instance_that_is_well():
    facts = header.HeaderFacts(up(), INSTANCE, State("run", 9.0, 0.00123), beat=998.0)
    left, right = said(facts, 1000.0)
    assert (
        left == " fluxtop  · 4 brokers · run · up 1m 40s · local:///x · depth 1 /ƒ1 · flux 0.88.0"
    )
    assert right == "♥ 2s  1.2 ms  ● connected "


def test_the_header_of_an_instance_that_is_lost_stands_still():
    lost = step(up(), Cause.LOST, 1000.0, trouble=GONE)
    facts = header.HeaderFacts(lost, INSTANCE, State("run", 9.0, 0.001), beat=998.0)
    left, right = said(facts, 1003.0)
    assert left.startswith(" fluxtop  · ECONNRESET: Connection reset by peer · 4 brokers")
    assert "up 1m 40s" in left
    assert right == "✖ lost 3s ago, retry in 0s "
    dialling = header.HeaderFacts(step(lost, Cause.ELAPSED, 1003.0), INSTANCE)
    assert said(dialling, 1003.0)[1] == "✖ lost 3s ago, connecting "


def test_the_header_before_anything_is_known():
    facts = header.HeaderFacts(Connection(), embedded=True, read_only=True)
    left, right = said(facts, 0.0)
    assert "embedded, ends with fluxtop" in left
    assert right == "read-only  ◌ starting "


def test_every_state_has_a_sign_in_both_sets():
    for state in STATE_ROLES:
        assert UNICODE.states[state]
        assert ASCII.states[state].isascii()
    assert all(len(sign) == 1 for sign in (*UNICODE.states.values(), *ASCII.states.values()))


def test_a_group_of_brokers_is_a_row():
    row = TbonRow((0, 3), (True, False), IdSet(range(3, 7)), "n[3-6]", "full", None, "", 8, False)
    cells = tbon.present(row, 0.0, UNICODE, chosen=0)
    assert plain_text(cells["broker"]) == "│ └─▸ [3-6] n[3-6] +8"
    assert plain_text(cells["status"]) == "● full"
    assert plain_text(cells["for"]) == ""


@pytest.mark.parametrize(
    ("line", "spans"),
    [
        ("{", [("{", "dim")]),
        (
            '  "a": 1,',
            [("  ", "plain"), ('"a"', "key"), (": ", "dim"), ("1", "info"), (",", "dim")],
        ),
        ('    "x"', [("    ", "plain"), ('"x"', "good")]),
        (
            '  "a: b": "c: d"',
            [("  ", "plain"), ('"a: b"', "key"), (": ", "dim"), ('"c: d"', "good")],
        ),
    ],
)
def test_json_is_told_apart(line, spans):
    assert [span for span in json_text.dress(line) if span[0]] == spans


@pytest.mark.parametrize(
    ("event", "text", "role"),
    [
        (Event(10.5, "submit", {"urgency": 16}), "    0.500s  submit       urgency=16", "info"),
        (Event(11.0, "clean"), "    1.000s  clean       ", "dim"),
        (Event(11.0, "finish", {"status": 0}), "    1.000s  finish       status=0", "good"),
        (Event(11.0, "finish", {"status": 9}), "    1.000s  finish       status=9", "bad"),
        (
            Event(11.0, "alloc", {"annotations": {"sched": {"resource_summary": "rank0"}}}),
            "    1.000s  alloc        annotations.sched.resource_summary=rank0",
            "strong",
        ),
        (
            Event(11.0, "exception", {"type": "x", "severity": 2}),
            "    1.000s  exception    type=x severity=2",
            "warn",
        ),
    ],
)
def test_an_event_is_a_line(event, text, role):
    spans = event_line(event, began=10.0)
    assert plain_text(spans) == text
    assert spans[1][1] == role


def test_a_log_line_has_its_severity():
    row = LogRow(0, LogEntry(3, "2026-11-22T11:26:57.551376Z", "2", "kvs", "oops"))
    cells = {name: plain_text(cell) for name, cell in log.present(row).items()}
    assert cells == {"time": "11:26:57", "rank": "2", "level": "err", "app": "kvs", "text": "oops"}
    assert log.time_of_day("-") == "-"


def test_output_says_which_task_only_where_there_are_several():
    line = OutputLine("stderr", "3", "oops")
    assert plain_text(output_line(line, ntasks=1)) == "oops"
    assert plain_text(output_line(line, ntasks=8)) == "3: oops"


@pytest.mark.parametrize(
    ("status", "text"), [(256, "exit 1"), (9, "signal 9"), (0x7F00, "exit 127")]
)
def test_a_wait_status_in_words(status, text):
    assert how_it_ended(status) == text


def test_a_user_without_a_name_is_a_number():
    assert user_name(0) == "root"
    assert user_name(4123456789) == "4123456789"
    assert user_name(-1) == ""


def test_what_a_jobspec_asks_for():
    options = Options(nnodes=2, ntasks=4, cores_per_task=3, duration=90)
    jobspec = from_command(["true"], options)
    assert asks_for(total(jobspec)) == "2 nodes, 4 slots, 12 cores, 4 tasks, 90 s at most"
