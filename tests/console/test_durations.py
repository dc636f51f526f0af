import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxtop.durations import age, duration


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (-1, "0.0s", "0s"),
        (0.44, "0.4s", "0s"),
        (9.9, "9.9s", "9s"),
        (42, "42s", "42s"),
        (61, "1m 01s", "1m 01s"),
        (3 * 3600 + 7 * 60, "3h 07m", "3h 07m"),
        (2 * 86400 + 5 * 3600, "2d 05h", "2d 05h"),
    ],
)
def test_times_are_read_at_a_glance(seconds, long, short):
    assert duration(seconds) == long
    assert age(seconds) == short


@given(st.floats(0, 86400 * 99))
def test_a_time_is_never_wider_than_its_column(seconds):
    assert len(duration(seconds)) <= 7
