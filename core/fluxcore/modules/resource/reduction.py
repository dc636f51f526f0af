"""Adding up what the ranks of a subtree have, on its way to rank 0 (CONTRACTS H4)."""

from collections.abc import Mapping
from typing import Any

from fluxcore.resource.rset import ResourceSet


class Reduction:
    """Waits for the ``descendants`` of a rank, whose own resources are ``own``."""

    def __init__(self, own: ResourceSet, descendants: int) -> None:
        self.total = own
        self.count = 1
        self._wanted = descendants + 1

    @property
    def complete(self) -> bool:
        """True when all have reported."""
        return self.count == self._wanted

    def add(self, count: int, resources: Mapping[str, Any]) -> bool:
        """Add what a subtree of ``count`` ranks has; False if it has been added before.

        :raises ValueError: it is no R
        """
        rset = ResourceSet.from_json(resources)
        if rset.ranks & self.total.ranks:
            return False  # a module was loaded again and has told once more
        self.total |= rset
        self.count += count
        return True

    def to_json(self) -> dict[str, Any]:
        """What is told to the parent."""
        return {"count": self.count, "resource": self.total.to_json()}
