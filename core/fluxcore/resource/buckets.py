"""Ranks sorted by what they have free, to find the fullest without a look at every one."""

from bisect import insort
from collections.abc import Iterator, Mapping

from fluxcore.resource.request import Shape


class Buckets:
    """Ranks by shape: for each shape the bitmap of its ranks."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.ranks: dict[Shape, int] = {}

    @classmethod
    def of(cls, masks: Mapping[int, tuple[int, int]]) -> "Buckets":
        """Ranks with the bitmaps of their cores and gpus."""
        new = cls()
        for rank, (cores, gpus) in masks.items():
            new.add(rank, cores, gpus)
        return new

    def add(self, rank: int, cores: int, gpus: int) -> None:
        """Put ``rank`` where its cores and gpus (bitmaps) belong."""
        shape = Shape(-cores.bit_count(), -gpus.bit_count())
        if shape not in self.ranks:
            insort(self.shapes, shape)
            self.ranks[shape] = 0
        self.ranks[shape] |= 1 << rank

    def remove(self, rank: int, cores: int, gpus: int) -> None:
        """Take ``rank`` from where its cores and gpus put it."""
        shape = Shape(-cores.bit_count(), -gpus.bit_count())
        self.ranks[shape] &= ~(1 << rank)
        if not self.ranks[shape]:
            del self.ranks[shape]
            self.shapes.remove(shape)

    def within(self, allowed: int) -> Iterator[tuple[Shape, int]]:
        """The shapes, fullest first, with those of their ranks that are allowed."""
        for shape in self.shapes:
            ranks = self.ranks[shape] & allowed
            if ranks:
                yield shape, ranks


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits set in ``mask``, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
