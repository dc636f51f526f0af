"""Where the console's data come from: the interface that live and scripted sources share."""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from fluxcore.handle.aio import Flux
from fluxtop.data.connection import Connection
from fluxtop.data.trouble import Trouble

#: Seconds within which a service must answer; then TimeoutError. Streams are exempt: they end
#: with their connection.
DEADLINE: Final = 5.0
#: Seconds for what may rightly take long: a module that stops or starts.
LONG_DEADLINE: Final = 30.0

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Subject(Protocol[M_co]):
    """Something to follow: a hashable value whose class knows how to follow it live."""

    async def follow(self, flux: Flux, emit: Callable[[M_co], None]) -> None:
        """Give each message about the subject to ``emit`` until there are no more.

        :raises OSError: a service failed; the source tells the sink, and tries again later
        """


class Operation(Protocol[T_co]):
    """Something to do: a value whose class knows how to do it live."""

    async def run(self, flux: Flux) -> T_co:
        """Do it and give its result.

        :raises OSError: it failed
        """


class Watch(Protocol):
    """A subject that is being followed."""

    def stop(self) -> None:
        """Follow it no more; its traffic ends."""


class Source(Protocol):
    """An instance: live, or as a script tells it."""

    @property
    def connection(self) -> Connection:
        """The connection as it is now."""

    def on_connection(self, function: Callable[[Connection], None]) -> None:
        """Call ``function`` with the connection each time it changes."""

    def watch(self, subject: Subject[M], sink: Callable[[M | Trouble], None]) -> Watch:
        """Follow ``subject`` whenever the connection is up.

        ``sink`` gets its messages, and a :class:`Trouble` when it cannot be followed.
        """

    async def call(self, operation: Operation[T]) -> T:
        """Carry out ``operation``.

        :raises OSError: it failed, or there is no connection (ENOTCONN)
        """

    def switch(self, uri: str) -> None:
        """Leave this instance and attach to the one at ``uri``."""

    def retry(self) -> None:
        """If the connection is lost, dial now and not when the wait is over."""

    async def run(self) -> None:
        """Keep the connection until :meth:`close`."""

    async def close(self) -> None:
        """End everything."""
