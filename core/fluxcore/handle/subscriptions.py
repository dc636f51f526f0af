"""Event subscriptions by topic prefix, counted (CONTRACTS A8)."""

import errno
from collections.abc import Iterator

from fluxcore.handle.errors import rpc_error


class Subscriptions:
    """A set of topic prefixes, each as often as it was subscribed to.

    ``foo`` matches ``foobar`` and ``foo.bar``; the empty prefix matches every topic. Answers
    are remembered by topic, so an event costs one dictionary look-up however many prefixes
    there are; what all of them are is put together when the next event asks, so that a client
    which goes with many costs no more than each of them.
    """

    __slots__ = ("_counts", "_known", "_prefixes")

    #: Topics remembered before the memory is started anew, and how long one may be:
    #: topics may be made up by users.
    MEMORY = 1024
    LONGEST = 255

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._prefixes: tuple[str, ...] | None = None
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._counts))

    def add(self, prefix: str) -> bool:
        """Subscribe once more; True if ``prefix`` is new here."""
        count = self._counts.get(prefix, 0)
        self._counts[prefix] = count + 1
        if not count:
            self._changed()
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
        self._changed()
        return True

    def match(self, topic: str) -> bool:
        """True if an event of ``topic`` is wanted."""
        known = self._known.get(topic)
        if known is None:
            if self._prefixes is None:
                self._prefixes = tuple(self._counts)
            known = topic.startswith(self._prefixes)
            self._remember(topic, known)
        return known

    def _remember(self, topic: str, known: bool) -> None:
        if len(topic) > self.LONGEST:
            return
        if len(self._known) >= self.MEMORY:
            self._known.clear()
        self._known[topic] = known

    def _changed(self) -> None:
        self._prefixes = None
        self._known.clear()
