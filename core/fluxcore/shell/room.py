"""Waiting until a pipe that is full has room again."""

import asyncio
from collections.abc import Callable


class Room:
    """Calls ``there_is`` as long as ``fd`` can be written to, while it is waited for."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, there_is: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._fd = fd
        self._there_is = there_is
        #: True while it is waited for.
        self.awaited = False

    def wait(self) -> None:
        """Wait for room."""
        if not self.awaited:
            self.awaited = True
            self._loop.add_writer(self._fd, self._there_is)

    def stop(self) -> None:
        """Wait no more; to be called before the descriptor is closed."""
        if self.awaited:
            self.awaited = False
            self._loop.remove_writer(self._fd)
