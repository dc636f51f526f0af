"""The live source: one Flux handle at a time, dialled again whenever it is lost.

Theory of operation: :meth:`Session.run` looks at the phase of the connection and does what the
phase asks for; everything that can happen (a dial answered, a broker lost, a user who wants
another instance) is a cause given to :func:`fluxtop.data.connection.step`. A watch is a task
while the connection is up, and only a wish while it is not.
"""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

from fluxcore.handle.aio import Flux, connect
from fluxtop.data.connection import Cause, Connection, Phase, step
from fluxtop.data.source import Operation, Subject
from fluxtop.data.trouble import Trouble

M = TypeVar("M")
T = TypeVar("T")

#: Seconds before a subject whose service failed is followed again: it may be loaded by then.
RETRY: Final = 2.0


async def located(uri: str) -> str:
    """A URI that is known already, as :class:`Session` wants it."""
    return uri


class Session:
    """A live connection to an instance; see :class:`fluxtop.data.source.Source`.

    :param locate: gives the URI, waiting for the instance to start if need be
    :param faults: told of an exception that is a fault of ours, not an OSError
    :param dial: makes a handle for a URI
    """

    def __init__(
        self,
        locate: Callable[[], Awaitable[str]],
        *,
        faults: Callable[[Exception], None],
        dial: Callable[[str], Awaitable[Flux]] = connect,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._locate = locate
        self._faults = faults
        self._dial = dial
        self._clock = clock
        self._connection = Connection(since=clock())
        self._listeners: list[Callable[[Connection], None]] = []
        self._watches: set[_Watch[Any]] = set()
        self._flux: Flux | None = None
        self._wake = asyncio.Event()

    # -- the source ------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The connection as it is now."""
        return self._connection

    def on_connection(self, function: Callable[[Connection], None]) -> None:
        """Call ``function`` with the connection each time it changes."""
        self._listeners.append(function)

    def watch(self, subject: Subject[M], sink: Callable[[M | Trouble], None]) -> "_Watch[M]":
        """Follow ``subject`` whenever the connection is up."""
        watch = _Watch(self, subject, sink)
        self._watches.add(watch)
        if self._flux is not None:
            watch.start(self._flux)
        return watch

    def forget(self, watch: "_Watch[Any]") -> None:
        """Follow its subject no more (called by the watch)."""
        self._watches.discard(watch)

    async def call(self, operation: Operation[T]) -> T:
        """Carry out ``operation``.

        :raises OSError: it failed, or there is no connection (ENOTCONN)
        """
        if self._flux is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return await operation.run(self._flux)

    def fault(self, exc: Exception) -> None:
        """Tell of a fault of ours (called by the watches)."""
        self._faults(exc)

    # -- what the user wants ---------------------------------------------------------------

    def switch(self, uri: str) -> None:
        """Leave this instance and attach to the one at ``uri``."""
        self._move(Cause.SWITCHED, uri=uri)
        self._wake.set()

    def retry(self) -> None:
        """If the connection is lost, dial now and not when the wait is over."""
        if self._connection.phase is Phase.WAITING:
            self._move(Cause.ELAPSED)
            self._wake.set()

    async def close(self) -> None:
        """End everything; :meth:`run` returns."""
        if self._connection.phase is not Phase.CLOSED:
            self._move(Cause.ENDED)
        self._wake.set()
        await self._hang_up()

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the connection until :meth:`close`."""
        phases = {
            Phase.STARTING: self._find,
            Phase.DIALING: self._connect,
            Phase.UP: self._stay,
            Phase.WAITING: self._wait,
            Phase.FAILED: self._stay,
        }
        while self._connection.phase is not Phase.CLOSED:
            self._wake.clear()
            await phases[self._connection.phase]()
        await self._hang_up()

    async def _find(self) -> None:
        try:
            uri = await self._unless_woken(self._locate())
        except OSError as exc:
            self._move_from(Phase.STARTING, Cause.UNLOCATED, trouble=Trouble.of(exc))
        else:
            self._move_from(Phase.STARTING, Cause.LOCATED, uri=uri)

    async def _connect(self) -> None:
        await self._hang_up()
        target = self._connection
        try:
            flux = await self._unless_woken(self._dial(target.uri))
        except OSError as exc:
            self._move_from(Phase.DIALING, Cause.LOST, trouble=Trouble.of(exc))
            return
        if flux is None:
            return
        if self._connection is not target:
            await flux.close()
            return
        self._flux = flux
        flux.on_disconnect(self._lost)
        self._move(Cause.ANSWERED)
        for watch in list(self._watches):
            watch.start(flux)

    async def _stay(self) -> None:
        await self._wake.wait()

    async def _wait(self) -> None:
        await self._hang_up()
        left = (self._connection.retry_at or 0.0) - self._clock()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(left, 0.0))
        self._move_from(Phase.WAITING, Cause.ELAPSED)

    async def _unless_woken(self, work: Awaitable[T]) -> T | None:
        """The result of ``work``, or None if the user wanted something else meanwhile."""
        task = asyncio.ensure_future(work)
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((task, woken), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            woken.cancel()
            task.cancel()

    def _lost(self, exc: Exception | None) -> None:
        reason = exc if isinstance(exc, OSError) else None
        lost = reason or ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self._move_from(Phase.UP, Cause.LOST, trouble=Trouble.of(lost))
        self._wake.set()

    async def _hang_up(self) -> None:
        flux, self._flux = self._flux, None
        for watch in list(self._watches):
            await watch.pause()
        if flux is not None:
            await flux.close()

    def _move_from(
        self, phase: Phase, cause: Cause, *, uri: str | None = None, trouble: Trouble | None = None
    ) -> None:
        """Move, unless the user has taken the connection elsewhere meanwhile."""
        if self._connection.phase is phase:
            self._move(cause, uri=uri, trouble=trouble)

    def _move(
        self, cause: Cause, *, uri: str | None = None, trouble: Trouble | None = None
    ) -> None:
        self._connection = step(self._connection, cause, self._clock(), uri=uri, trouble=trouble)
        for function in self._listeners:
            function(self._connection)


class _Watch(Generic[M]):
    """A wish to follow a subject, and the task that does while the connection is up."""

    def __init__(
        self, session: Session, subject: Subject[M], sink: Callable[[M | Trouble], None]
    ) -> None:
        self._session = session
        self._subject = subject
        self._sink = sink
        self._task: asyncio.Task[None] | None = None

    def start(self, flux: Flux) -> None:
        """Follow the subject over ``flux``."""
        self._task = flux.loop.create_task(self._follow(flux))

    async def pause(self) -> None:
        """Follow it not until the next :meth:`start`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def stop(self) -> None:
        """Follow it no more; its traffic ends."""
        self._session.forget(self)
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self, flux: Flux) -> None:
        while True:
            try:
                await self._subject.follow(flux, self._sink)
            except OSError as exc:
                if not flux.connected:
                    return
                self._sink(Trouble.of(exc))
            except Exception as exc:  # noqa: BLE001 - nobody awaits this task; tell who can act
                self._session.fault(exc)
                return
            else:
                return
            await asyncio.sleep(RETRY)
