import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.jobs.values import format_value, short_duration


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("value", "conversion", "spec", "text"),
    [
        ("hostname", "", "<10.10+", "hostname  "),
        ("hostname-long", "", "<10.10+", "hostname-+"),
        ("hostname-long", "", "<10.10", "hostname-l"),
        (4, "", ">6", "     4"),
        ("", "", ">6h", "     -"),
        (0.0, "", "h", "-"),
        (3, "", ">6h", "     3"),
        (1.5, "", "0.2f", "1.50"),
        (0.035, "F", ">8h", "  0.035s"),
        (0.0, "F", ">8h", "       -"),
        (0.0, "F", "", "0s"),
        ("", "F", "", ""),
        (5400.0, "F", "", "1.5h"),
        (math.inf, "F", "", "inf"),
        (0.2, "H", "", "0:00:01"),
        (3725.4, "H", "", "1:02:05"),
        (90000, "H", "", "1 day, 1:00:00"),
        (200000, "H", "", "2 days, 7:33:20"),
        ("", "H", "h", "-"),
        (0.0, "D", "", ""),
        (1552593348.07, "D", ">20", " 2019-03-14T19:55:48"),
        (1552593348.07, "d", "", "2019-03-14T19:55:48"),
        (1552593348.07, "d", "%b%d %R::>14", "   Mar14 19:55"),
        (0.0, "d", "%b%d %R::>14h", "             -"),
        (0.0, "d", "%H:%M", ""),
        (0.123, "P", "", "12.3%"),
        (0.001234, "P", "", "0.12%"),
        ("", "P", "", ""),
        ("a", "r", "", "'a'"),
        (5, "s", ">3", "  5"),
    ],
)
def test_a_value_is_written_as_its_format_says(value, conversion, spec, text):
    assert format_value(value, conversion, spec) == text


@pytest.mark.parametrize(("value", "conversion", "spec"), [("x", "", "d"), (1, "z", "")])
def test_a_format_that_does_not_fit_is_refused(value, conversion, spec):
    with pytest.raises(ValueError):
        format_value(value, conversion, spec)


@given(st.floats(0, 1e8))
def test_a_short_duration_is_short_and_nearly_right(seconds):
    text = short_duration(seconds)
    assert len(text) <= 9
    size = {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]
    assert float(text[:-1]) * size == pytest.approx(seconds, rel=1e-3, abs=1e-3)
