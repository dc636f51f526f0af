"""What one party subscribes to, counted (CONTRACTS A8)."""

import errno
from collections.abc import Iterator

from fluxcore.handle.errors import rpc_error


class Subscriptions:
    """A set of topic prefixes, each as often as it was subscribed to."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._counts))

    def add(self, prefix: str) -> bool:
        """Subscribe once more; True if ``prefix`` is new here."""
        count = self._counts.get(prefix, 0)
        self._counts[prefix] = count + 1
        return not count

    def remove(self, prefix: str) -> bool:
        """Take one subscription back; True if it was the last one of ``prefix``.

        :raises FileNotFoundError: there is none
        """
        count = self._counts.get(prefix, 0)
        if not count:
            raise rpc_error(errno.ENOENT)
        if count > 1:
            self._counts[prefix] = count - 1
            return False
        del self._counts[prefix]
        return True
