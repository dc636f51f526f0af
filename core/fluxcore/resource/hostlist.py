"""Hostlists (RFC 29): ordered lists of host names, written as ``node[0-3,7],login1``.

Order and repetition are kept: a hostlist says which host each rank is on, and a test instance
has several ranks on one. Names are held one by one; ten thousand of them are read or written in
a few milliseconds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, overload

#: A hostlist of more names than this is an error, not a machine.
MAX_HOSTS: Final = 2**20

_TOKEN: Final = re.compile(r"([^][,\s]*)(?:\[([0-9,-]*)\]([^][,\s]*))?(?=[,\s]|$)")
_RANGE: Final = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_SEPARATORS: Final = ", \t\n"


class Hostlist(Sequence[str]):
    """An immutable list of host names; ``Hostlist(["a1", "a2"])`` has these."""

    __slots__ = ("_index", "_names")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = tuple(names)
        self._index: dict[str, int] | None = None

    # -- text ------------------------------------------------------------------------------

    @classmethod
    def decode(cls, text: str) -> "Hostlist":
        """The names that ``text`` stands for; commas or white space part its expressions.

        :raises ValueError: "invalid hostlist 'x'", or more than :data:`MAX_HOSTS` names
        """
        if "[" not in text and "]" not in text:
            return cls(text.replace(",", " ").split())  # as nearly every job's is
        expressions = list(_parse(text))
        if sum([len(expression.numbers) for expression in expressions]) > MAX_HOSTS:
            raise ValueError(f"hostlist has more than {MAX_HOSTS} hosts")
        return cls([name for expression in expressions for name in expression.names()])

    def encode(self) -> str:
        """The list as text: neighbours that differ by a number share brackets."""
        return ",".join(_compact(self._names))

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"Hostlist.decode({self.encode()!r})"

    # -- a sequence ------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> "Hostlist": ...
    def __getitem__(self, at: int | slice) -> "str | Hostlist":
        return Hostlist(self._names[at]) if isinstance(at, slice) else self._names[at]

    def __contains__(self, name: object) -> bool:
        return name in self._first_places()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hostlist) and self._names == other._names

    def __hash__(self) -> int:
        return hash(self._names)

    def __add__(self, other: Iterable[str]) -> "Hostlist":
        return Hostlist((*self._names, *other))

    def index(self, name: str, start: int = 0, stop: int | None = None) -> int:
        """The first place of ``name``.

        :raises ValueError: it is not in the list
        """
        if start == 0 and stop is None:
            at = self._first_places().get(name)
            if at is None:
                raise ValueError(f"{name} is not in the hostlist")
            return at
        return self._names.index(name, start, len(self._names) if stop is None else stop)

    def count(self, name: str) -> int:
        """How often ``name`` is in the list."""
        return self._names.count(name)

    def places(self, name: str) -> list[int]:
        """Every place of ``name``, ascending; none if it is not in the list."""
        return [at for at, host in enumerate(self._names) if host == name]

    def _first_places(self) -> dict[str, int]:
        if self._index is None:
            self._index = {}
            for at, name in enumerate(self._names):
                self._index.setdefault(name, at)
        return self._index


class _Expression(NamedTuple):
    """One range of numbers between a prefix and a suffix; a name without brackets has width -1."""

    prefix: str
    numbers: range
    width: int
    suffix: str

    def names(self) -> list[str]:
        prefix, numbers, width, suffix = self
        if width < 0:
            return [prefix]
        return [prefix + f"%0{width}d" % number + suffix for number in numbers]


def _parse(text: str) -> Iterator[_Expression]:
    at = 0
    while at < len(text):
        if text[at] in _SEPARATORS:
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"invalid hostlist '{text}'")
        at = match.end()
        prefix, ranges, suffix = match.groups()
        if ranges is None:
            yield _Expression(prefix, range(1), -1, "")
            continue
        for token in ranges.split(","):
            numbers = _RANGE.fullmatch(token)
            lo, hi = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (1, 0)
            if numbers is None or lo > hi:
                raise ValueError(f"invalid hostlist '{text}'")
            # The width of a range is that of its first number, as in flux-core; RFC 29 has it
            # that of the first number between the brackets.
            yield _Expression(prefix, range(lo, hi + 1), len(numbers[1]), suffix)


def _compact(names: Iterable[str]) -> Iterator[str]:
    """The expressions of an encoded hostlist, one for each run of names with one prefix."""
    prefix = ""
    run: list[tuple[str, str]] = []  # first and last number of each range, as text
    expected = ""  # the name that would lengthen the last range
    number = width = 0
    for name in names:
        if name == expected:
            run[-1] = (run[-1][0], name[len(prefix) :])
        else:
            new_prefix, digits = _split_number(name)
            if run and (new_prefix != prefix or not digits):
                yield _bracket(prefix, run)
                run = []
            if not digits:
                yield name
                expected = ""
                continue
            prefix, number, width = new_prefix, int(digits), len(digits)
            run.append((digits, digits))
        number += 1
        expected = prefix + f"{number:0{width}}"
    if run:
        yield _bracket(prefix, run)


def _split_number(name: str) -> tuple[str, str]:
    """A name's prefix and the number at its end, of which nine digits count as such."""
    prefix = name.rstrip("0123456789")
    if len(name) - len(prefix) > 9:
        prefix = name[:-9]
    return prefix, name[len(prefix) :]


def _bracket(prefix: str, run: list[tuple[str, str]]) -> str:
    if len(run) == 1 and run[0][0] == run[0][1]:
        return f"{prefix}{run[0][0]}"
    ranges = [first if first == last else f"{first}-{last}" for first, last in run]
    return f"{prefix}[{','.join(ranges)}]"
