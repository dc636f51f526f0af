"""A source that says what a script tells it to: for tests, screenshots and replays."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from inspect import isawaitable
from typing import Any, TypeVar, cast

from fluxtop.data.connection import Cause, Connection, step
from fluxtop.data.source import Operation, Subject
from fluxtop.data.trouble import Trouble

M = TypeVar("M")
T = TypeVar("T")

#: What an operation gives, at once or in time; it may raise OSError.
Answer = Callable[[Any], Any]


class ScriptedSource:
    """An instance in a script; see :class:`fluxtop.data.source.Source`.

    Messages said about a subject before anybody watches it are kept, and told to each who
    begins to. ``calls`` are the operations that were asked for, in order.
    """

    def __init__(self, uri: str = "local:///run/flux/local", now: float = 0.0) -> None:
        self._now = now
        self._connection = Connection(uri=uri, since=now)
        self._connection = step(self._connection, Cause.LOCATED, now, uri=uri)
        self._listeners: list[Callable[[Connection], None]] = []
        self._said: dict[Any, list[Any]] = {}
        self._watches: list[_ScriptedWatch] = []
        self._answers: dict[type, Answer] = {}
        self._ended = asyncio.Event()
        self.calls: list[Any] = []

    # -- the script ------------------------------------------------------------------------

    def say(self, subject: Subject[M], *messages: M | Trouble) -> None:
        """Tell ``messages`` to all who follow ``subject``, now and later."""
        self._said.setdefault(subject, []).extend(messages)
        for watch in list(self._watches):
            if watch.subject == subject:
                for message in messages:
                    watch.sink(message)

    def said(self, subject: Subject[M]) -> list[M | Trouble]:
        """What was said about ``subject``."""
        return list(self._said.get(subject, ()))

    def forget(self, subject: Subject[M]) -> None:
        """Say what was said about ``subject`` to nobody any more."""
        self._said.pop(subject, None)

    def answer(self, kind: type, answer: Answer) -> None:
        """Let operations of class ``kind`` give ``answer(operation)``."""
        self._answers[kind] = answer

    def move(self, cause: Cause, now: float, trouble: Trouble | None = None) -> None:
        """Let ``cause`` happen to the connection."""
        self._set(step(self._connection, cause, now, trouble=trouble))

    @property
    def watched(self) -> list[Any]:
        """The subjects that are followed now."""
        return [watch.subject for watch in self._watches]

    # -- the source ------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The connection as it is now."""
        return self._connection

    def on_connection(self, function: Callable[[Connection], None]) -> None:
        """Call ``function`` with the connection each time it changes."""
        self._listeners.append(function)

    def watch(self, subject: Subject[M], sink: Callable[[M | Trouble], None]) -> "_ScriptedWatch":
        """Tell what is said about ``subject``."""
        watch = _ScriptedWatch(self, subject, sink)
        self._watches.append(watch)
        # As with a live source, nothing is told before the caller has its watch.
        asyncio.get_running_loop().call_soon(self._catch_up, watch)
        return watch

    def _catch_up(self, watch: "_ScriptedWatch") -> None:
        for message in list(self._said.get(watch.subject, ())):
            if watch in self._watches:
                watch.sink(message)

    def drop(self, watch: "_ScriptedWatch") -> None:
        """Tell it no more (called by the watch)."""
        if watch in self._watches:
            self._watches.remove(watch)

    async def call(self, operation: Operation[T]) -> T:
        """What the script answers; None for an operation that it says nothing about."""
        self.calls.append(operation)
        answer = self._answers.get(type(operation))
        value = answer(operation) if answer is not None else None
        return cast(T, await value if isawaitable(value) else value)

    def switch(self, uri: str) -> None:
        """Go to another instance."""
        self._set(step(self._connection, Cause.SWITCHED, self._now, uri=uri))

    def retry(self) -> None:
        """Dial at once."""
        self._set(replace(self._connection, retry_at=self._now))

    async def run(self) -> None:
        """Be connected, until the end."""
        self._set(step(self._connection, Cause.ANSWERED, self._now))
        await self._ended.wait()

    async def close(self) -> None:
        """End."""
        self._ended.set()

    def _set(self, connection: Connection) -> None:
        self._connection = connection
        for function in self._listeners:
            function(connection)


class _ScriptedWatch:
    def __init__(self, source: ScriptedSource, subject: Any, sink: Callable[[Any], None]) -> None:
        self.subject = subject
        self.sink = sink
        self._source = source

    def stop(self) -> None:
        """Be told no more."""
        self._source.drop(self)
