"""Removing the directories of jobs that have ended.

On some file systems the removal of an empty directory takes milliseconds, longer than all else
that a short job needs. So a thread does it, for many jobs at once, and no job waits for it.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from typing import Final

#: Seconds that directories are gathered for.
_DELAY: Final = 0.05


class Sweeper:
    """Removes directories, and what is in them, some time after they are given to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._paths: list[str] = []
        self._planned: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.Future[None] | None = None

    def remove(self, path: str) -> None:
        """Remove ``path`` soon."""
        self._paths.append(path)
        if self._planned is None and self._sweeping is None:
            self._planned = self._loop.call_later(_DELAY, self._sweep)

    def _sweep(self) -> None:
        self._planned = None
        paths, self._paths = self._paths, []
        self._sweeping = asyncio.ensure_future(
            self._loop.run_in_executor(None, _remove_all, paths), loop=self._loop
        )
        self._sweeping.add_done_callback(self._swept)

    def _swept(self, _done: "asyncio.Future[None]") -> None:
        self._sweeping = None
        if self._paths:
            self._sweep()

    async def finish(self) -> None:
        """Remove what is left to be removed; returns when it is gone."""
        if self._planned is not None:
            self._planned.cancel()
            self._sweep()
        while self._sweeping is not None:
            await asyncio.wait([self._sweeping])


def _remove_all(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.rmdir(path)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
