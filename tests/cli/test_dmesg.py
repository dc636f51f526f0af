from datetime import UTC, timedelta, timezone

import pytest

from fluxcore.cli.dmesg import HumanTimes, LogFormatter, iso_time
from fluxcore.handle.logline import format_line

LINE = b"<24>1 2026-11-22T07:31:21.140613Z 3 kvs 9739 - - lost \xc6\x92 job\n"
EAST = timezone(timedelta(hours=5, minutes=30))


def plain(line: bytes, *, color: bool = False) -> str:
    return LogFormatter(lambda stamp: (stamp, False), color=color).format(line)


def test_a_line_shows_its_time_source_rank_and_text():
    assert plain(LINE) == "2026-11-22T07:31:21.140613Z kvs.err[3]: lost ƒ job"


@pytest.mark.parametrize(
    ("level", "name"),
    enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")),
)
def test_a_line_that_we_log_is_read_back(level, name):
    line = format_line(level, "hello", now=0.5, rank="0", app="app", pid=1)
    assert plain(line) == f"1970-01-01T00:00:00.500000Z app.{name}[0]: hello"


def test_what_is_no_log_line_is_shown_as_it_is():
    assert plain(b"what is this?\0") == "what is this?"


def test_colours_follow_the_severity():
    assert plain(LINE, color=True) == (
        "\x1b[32m2026-11-22T07:31:21.140613Z\x1b[0m \x1b[33mkvs.err[3]\x1b[0m:"
        " \x1b[31mlost ƒ job\x1b[0m"
    )


def test_times_are_shown_where_the_reader_is():
    stamp = "2026-11-22T07:31:21.140613Z"
    assert iso_time(stamp, EAST) == ("2026-11-22T13:01:21.140613+05:30", False)
    assert iso_time(stamp, UTC) == (stamp, False)
    assert iso_time("yesterday") == ("yesterday", False)


def stamps(times: HumanTimes, *seconds: str) -> list[tuple[str, bool]]:
    return [times(f"2026-11-22T07:31:{second}Z") for second in seconds]


def test_for_a_human_the_minute_is_shown_once():
    times = HumanTimes(zone=EAST)
    assert stamps(times, "21.5", "22.75", "59") == [
        ("[Nov22 13:01]", True),
        ("[  +1.250000]", False),
        ("[ +37.500000]", False),
    ]
    assert times("2026-11-22T07:32:00Z") == ("[Nov22 13:02]", True)
    assert times("soon") == ("[soon]", False)


def test_with_delta_times_are_since_the_line_before():
    assert stamps(HumanTimes(delta=True, zone=EAST), "21.5", "22.75", "59") == [
        ("[Nov22 13:01]", True),
        ("[  +1.250000]", False),
        ("[ +36.250000]", False),
    ]
