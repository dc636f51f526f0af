"""Services: methods bound to topics.

A method is a plain function of one request. What it returns is the answer; what it raises is
the failure; :data:`DEFERRED` says that it keeps the request and will answer itself, once or
(for a streaming request) often. A coroutine function may be a method too: it runs as a task, and
the request is answered when it ends.

::

    class Echo(Service):
        @method("echo.say", role=ROLE_USER)
        def say(self, req: Message) -> Reply:
            return {"said": need_str(req.json, "text")}

        @on_event("heartbeat.pulse")
        def pulse(self, event: Message) -> None: ...
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from fluxcore.wire.constants import ROLE_NONE, ROLE_OWNER
from fluxcore.wire.message import Message


class _Deferred:
    def __repr__(self) -> str:
        return "DEFERRED"


#: A method's answer when it will answer later itself.
DEFERRED: Final = _Deferred()

#: What a method may return.
Reply = Mapping[str, Any] | bytes | _Deferred | None
MethodFunction = Callable[[Message], "Reply | Awaitable[Reply]"]
EventFunction = Callable[[Message], None]


class Method(NamedTuple):
    """A method and the roles that may call it; the owner always may (CONTRACTS A5)."""

    call: MethodFunction
    rolemask: int = ROLE_NONE

    def refusal(self, rolemask: int) -> str | None:
        """Why a caller with ``rolemask`` is turned away, or None if it is not."""
        if rolemask & (self.rolemask | ROLE_OWNER):
            return None
        if self.rolemask in (ROLE_NONE, ROLE_OWNER):
            return "Request requires owner credentials"
        return "Request rejected due to insufficient privilege"


_F = TypeVar("_F", bound=Callable[..., Any])


def method(topic: str, *, role: int = ROLE_NONE) -> Callable[[_F], _F]:
    """Mark a function of a :class:`Service` as the method for ``topic``.

    A topic that starts with a dot is completed with the service's name.
    """

    def mark(function: _F) -> _F:
        _marks(function, "_methods").append((topic, role))
        return function

    return mark


def on_event(prefix: str, *, role: int = ROLE_NONE) -> Callable[[_F], _F]:
    """Mark a function of a :class:`Service` as the handler of events under ``prefix``.

    Anybody can publish any event; those that neither the owner nor one in ``role`` has published
    are not for the function (CONTRACTS A5).
    """

    def mark(function: _F) -> _F:
        _marks(function, "_events").append((prefix, role))
        return function

    return mark


def _marks(function: Callable[..., Any], kind: str) -> list[Any]:
    holder = cast(Any, function)
    if not hasattr(holder, kind):
        setattr(holder, kind, [])
    return cast(list[Any], getattr(holder, kind))


class MethodTable(Protocol):
    """Where methods are registered: a handle's core."""

    def add_method(self, topic: str, method: Method) -> None:
        """Serve ``topic``."""

    def add_event_handler(self, prefix: str, function: EventFunction, rolemask: int) -> None:
        """Call ``function`` for the events under ``prefix`` of one in ``rolemask``."""


class Service:
    """Something whose marked functions serve topics."""

    def bind(self, table: MethodTable, name: str = "") -> list[str]:
        """Register the marked functions; ``name`` completes topics that start with a dot.

        :returns: the event prefixes to subscribe to
        """
        prefixes: list[str] = []
        for attribute in dir(type(self)):
            function = getattr(type(self), attribute, None)
            for topic, role in getattr(function, "_methods", ()):
                full = name + topic if topic.startswith(".") else topic
                table.add_method(full, Method(getattr(self, attribute), role))
            for prefix, role in getattr(function, "_events", ()):
                full = name + prefix if prefix.startswith(".") else prefix
                table.add_event_handler(full, getattr(self, attribute), role)
                prefixes.append(full)
        return prefixes
