"""Running statistics of a series, as stats-get answers have them."""

import math


class Tstat:
    """Count, extremes, mean and standard deviation of what was pushed, in constant space."""

    __slots__ = ("_m2", "_mean", "count", "max", "min")

    def __init__(self) -> None:
        self.count = 0
        self.min = 0.0
        self.max = 0.0
        self._mean = 0.0
        self._m2 = 0.0

    def push(self, value: float, times: int = 1) -> None:
        """Take ``value`` that often (Welford's method)."""
        self.min = value if not self.count else min(self.min, value)
        self.max = value if not self.count else max(self.max, value)
        self.count += times
        delta = value - self._mean
        self._mean += delta * times / self.count
        self._m2 += delta * (value - self._mean) * times

    @property
    def mean(self) -> float:
        """The mean, 0 of nothing."""
        return self._mean

    @property
    def stddev(self) -> float:
        """The sample standard deviation, 0 of less than two."""
        return math.sqrt(self._m2 / (self.count - 1)) if self.count > 1 else 0.0

    def describe(self) -> dict[str, float]:
        """``{count, min, max, mean, stddev}``."""
        return {
            "count": self.count,
            "min": self.min,
            "max": self.max,
            "mean": self.mean,
            "stddev": self.stddev,
        }
