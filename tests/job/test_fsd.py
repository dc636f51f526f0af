import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.fsd import format_fsd, parse_fsd


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("2", 2.0),
        ("2s", 2.0),
        ("0.5s", 0.5),
        (".5s", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("100ms", 0.1),
        ("1.5m", 90.0),
        ("1h", 3600.0),
        ("2d", 172800.0),
        ("inf", math.inf),
        ("INFINITY", math.inf),
    ],
)
def test_a_number_and_a_unit_are_seconds(text, seconds):
    assert parse_fsd(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1x", "1 s", "1s ", "nan", "infs", "1hm", "zz", "1e", "٣s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="invalid Flux standard duration"):
        parse_fsd(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0621, "62.1ms"),
        (0.1, "0.1s"),
        (59.5, "59.5s"),
        (60, "1m"),
        (5400, "1.5h"),
        (172800, "2d"),
        (math.inf, "infinity"),
    ],
)
def test_a_duration_is_shown_in_the_unit_of_its_size(seconds, text):
    assert format_fsd(seconds) == text


def test_precision_is_in_significant_digits():
    assert format_fsd(1.1789, 2) == "1.2s"
    assert format_fsd(86400 * 1234567, 2) == "1.2e+06d"


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_there_are_no_negative_durations(seconds):
    with pytest.raises(ValueError, match="negative"):
        format_fsd(seconds)


@given(st.floats(min_value=0, max_value=1e12))
def test_what_is_shown_reads_back(seconds):
    assert parse_fsd(format_fsd(seconds, 17)) == pytest.approx(seconds, rel=1e-12)
