import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.handle.tstat import Tstat


def test_of_nothing() -> None:
    assert Tstat().describe() == {"count": 0, "min": 0, "max": 0, "mean": 0, "stddev": 0}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_as_the_whole_series_says(series: list[float]) -> None:
    stat = Tstat()
    for value in series:
        stat.push(value)
    assert (stat.count, stat.min, stat.max) == (len(series), min(series), max(series))
    assert stat.mean == pytest.approx(statistics.fmean(series), abs=1e-6)
    deviation = statistics.stdev(series) if len(series) > 1 else 0.0
    assert stat.stddev == pytest.approx(deviation, rel=1e-6, abs=1e-6)
