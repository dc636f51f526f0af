"""Idsets (RFC 22): sets of ids, written as ranges.

An :class:`IdSet` is immutable and held as its ranges, so its cost is that of its text whatever
the ids are: ``0-2147483647`` takes no more room than ``0``. Set operations walk the ranges of
both sides once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

#: Ids are below this, so that a set's size is within 32 bits.
MAX_UNIVERSE: Final = 2**31

_Range = tuple[int, int]


class IdSet:
    """A set of non-negative integers below :data:`MAX_UNIVERSE`.

    ``IdSet([3, 1, 2])`` is the set of these ids, :meth:`decode` reads RFC 22's text. It counts,
    iterates (ascending), compares, and combines with ``|``, ``&`` and ``-``; ``<=`` asks
    whether it is a subset.

    :raises ValueError: an id is negative or too large
    """

    __slots__ = ("_ranges",)

    _ranges: tuple[_Range, ...]

    def __init__(self, ids: Iterable[int] = ()) -> None:
        ranges: list[_Range] = []
        lo = hi = -1
        for i in sorted(set(ids)):
            if i != hi + 1 or lo < 0:
                if lo >= 0:
                    ranges.append((lo, hi))
                lo = i
            hi = i
            if not 0 <= i < MAX_UNIVERSE:
                raise ValueError(f"id {i} is out of range")
        if lo >= 0:
            ranges.append((lo, hi))
        self._ranges = tuple(ranges)

    @classmethod
    def _of(cls, ranges: Iterable[_Range]) -> "IdSet":
        new = cls.__new__(cls)
        new._ranges = tuple(ranges)
        return new

    @classmethod
    def span(cls, lo: int, hi: int) -> "IdSet":
        """The ids from ``lo`` to ``hi``, both included; none if ``hi`` is below ``lo``."""
        if lo < 0 or hi >= MAX_UNIVERSE:
            raise ValueError(f"ids {lo}-{hi} are out of range")
        return cls._of([(lo, hi)] if lo <= hi else [])

    # -- text ------------------------------------------------------------------------------

    @classmethod
    def decode(cls, text: str) -> "IdSet":
        """The set that ``text`` stands for: ``0-3,7`` or ``[0-3,7]``; empty text is no id.

        :raises ValueError: with flux-core's words, as "error parsing range 'x'"
        """
        if len(text) >= 2 and text[0] == "[" and text[-1] == "]":
            text = text[1:-1]
        if "[" in text or "]" in text:
            raise ValueError("mismatched or nested brackets")
        ranges: list[_Range] = []
        last = -2
        for token in text.split(","):
            if not token:
                continue
            lo, hi = _parse_range(token)
            if lo <= last:
                raise ValueError(f"range '{token}' is out of order")
            if lo == last + 1:
                lo = ranges.pop()[0]
            ranges.append((lo, hi))
            last = hi
        return cls._of(ranges)

    def encode(self, *, brackets: bool = False) -> str:
        """The set as text; with ``brackets`` around it if it has more than one id."""
        text = ",".join([str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in self._ranges])
        return f"[{text}]" if brackets and len(self) > 1 else text

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"IdSet.decode({self.encode()!r})"

    # -- bitmaps ---------------------------------------------------------------------------

    @classmethod
    def from_mask(cls, mask: int) -> "IdSet":
        """The set whose ids are the bits set in ``mask``."""
        ranges: list[_Range] = []
        lo = 0
        while mask:
            zeros = (mask & -mask).bit_length() - 1
            mask >>= zeros
            lo += zeros
            ones = (mask + 1 & ~mask).bit_length() - 1
            mask >>= ones
            ranges.append((lo, lo + ones - 1))
            lo += ones
        return cls._of(ranges)

    def mask(self) -> int:
        """The set as a number whose bits are its ids; it takes the greatest id's many bits."""
        mask = 0
        for lo, hi in self._ranges:
            mask |= ((1 << hi - lo + 1) - 1) << lo
        return mask

    # -- asking ----------------------------------------------------------------------------

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The ranges (first and last id, both included), ascending and never adjacent."""
        return self._ranges

    @property
    def first(self) -> int:
        """The least id.

        :raises IndexError: the set is empty
        """
        return self._ranges[0][0]

    @property
    def last(self) -> int:
        """The greatest id.

        :raises IndexError: the set is empty
        """
        return self._ranges[-1][1]

    def __len__(self) -> int:
        return sum([hi - lo + 1 for lo, hi in self._ranges])

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __iter__(self) -> Iterator[int]:
        for lo, hi in self._ranges:
            yield from range(lo, hi + 1)

    def __contains__(self, i: object) -> bool:
        if not isinstance(i, int):
            return False
        at = bisect_right(self._ranges, (i, MAX_UNIVERSE)) - 1
        return at >= 0 and i <= self._ranges[at][1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __le__(self, other: "IdSet") -> bool:
        return not self - other

    # -- combining -------------------------------------------------------------------------

    def __or__(self, other: "IdSet") -> "IdSet":
        if not self._ranges or not other._ranges:
            return self if self._ranges else other
        merged: list[_Range] = []
        lo, hi = -1, -2
        for next_lo, next_hi in sorted(self._ranges + other._ranges):
            if next_lo <= hi + 1 and lo >= 0:
                hi = max(hi, next_hi)
                continue
            if lo >= 0:
                merged.append((lo, hi))
            lo, hi = next_lo, next_hi
        merged.append((lo, hi))
        return IdSet._of(merged)

    def __and__(self, other: "IdSet") -> "IdSet":
        common: list[_Range] = []
        mine, theirs = iter(self._ranges), iter(other._ranges)
        a, b = next(mine, None), next(theirs, None)
        while a and b:
            lo, hi = max(a[0], b[0]), min(a[1], b[1])
            if lo <= hi:
                common.append((lo, hi))
            if a[1] < b[1]:
                a = next(mine, None)
            else:
                b = next(theirs, None)
        return IdSet._of(common)

    def __sub__(self, other: "IdSet") -> "IdSet":
        left: list[_Range] = []
        theirs = iter(other._ranges)
        cut = next(theirs, None)
        for first, hi in self._ranges:
            lo = first
            while cut and cut[0] <= hi:
                if cut[0] > lo:
                    left.append((lo, cut[0] - 1))
                lo = max(lo, cut[1] + 1)
                if cut[1] > hi:
                    break
                cut = next(theirs, None)
            if lo <= hi:
                left.append((lo, hi))
        return IdSet._of(left)


def _parse_range(token: str) -> _Range:
    first, dash, second = token.partition("-")
    lo = _parse_id(first, token)
    hi = _parse_id(second, token) if dash else lo
    if dash and hi <= lo:
        raise ValueError(f"error parsing range '{token}'")
    if hi >= MAX_UNIVERSE:
        raise ValueError("set universe size would exceed maximum")
    return lo, hi


def _parse_id(digits: str, token: str) -> int:
    # RFC 22: decimal, no leading zeros. 20 digits are beyond any id, and int() is quadratic.
    if not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and len(digits) > 1):
        raise ValueError(f"error parsing range '{token}'")
    return int(digits) if len(digits) <= 20 else MAX_UNIVERSE
