"""Running the hash tree's machines: giving them the blobs and namespaces that they ask for."""

import errno
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.kvs.blobref import to_digest
from fluxcore.kvs.machine import Machine, Need, NeedBlobs, ObjectCache
from fluxcore.wire.message import Message

T = TypeVar("T")

#: Has a namespace made known here, then calls back with None or what that failed with.
AskRoot = Callable[[str, Callable[[OSError | None], None]], None]


class _Running:
    """A machine, what it waits for and what has come of that."""

    __slots__ = ("done", "ended", "error", "failed", "given", "machine", "missing", "started")

    def __init__(
        self,
        machine: Machine[Any],
        done: Callable[[Any], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self.machine = machine
        self.done = done
        self.failed = failed
        self.started = False
        self.ended = False
        self.missing = 0
        self.given: dict[str, bytes] = {}
        self.error: OSError | None = None

    def step(self) -> Need:
        """Resume the machine; what it needs next, or StopIteration with its result."""
        error, self.error = self.error, None
        given, self.given = self.given, {}
        if error is not None:
            return self.machine.throw(error)
        if self.started:
            return self.machine.send(given)
        self.started = True
        return next(self.machine)


class Machines:
    """Drives any number of machines; a blob that several wait for is loaded once.

    What a machine asks for may be there before the asking returns. It is resumed from a list
    and never from within, so a long way through the tree is no deep stack.
    """

    def __init__(self, flux: Flux, cache: ObjectCache, ask_root: AskRoot) -> None:
        self.cache = cache
        #: How many blobs had to be loaded.
        self.faults = 0
        self._flux = flux
        self._ask_root = ask_root
        self._loading: dict[str, list[_Running]] = {}
        self._ready: deque[_Running] = deque()
        self._draining = False

    @property
    def loading(self) -> int:
        """How many blobs are on their way."""
        return len(self._loading)

    def run(
        self, machine: Machine[T], done: Callable[[T], None], failed: Callable[[OSError], None]
    ) -> bool:
        """Run ``machine``, then call ``done`` with its result or ``failed``; True if it has ended.

        Both may be called before this returns.
        """
        running = _Running(machine, done, failed)
        self._resume(running)
        return running.ended

    def _resume(self, running: _Running) -> None:
        self._ready.append(running)
        if self._draining:
            return
        self._draining = True
        try:
            while self._ready:
                self._step(self._ready.popleft())
        finally:
            self._draining = False

    def _step(self, running: _Running) -> None:
        try:
            need = running.step()
        except StopIteration as stop:
            result, error = stop.value, None
        except OSError as exc:
            result, error = None, exc
        except Exception as exc:  # noqa: BLE001 - whoever waits must not wait for ever
            self._flux.log_exception("kvs: internal error", exc)
            result, error = None, rpc_error(errno.EIO, f"internal error: {type(exc).__name__}")
        else:
            self._provide(running, need)
            return
        running.ended = True
        if error is None:
            running.done(result)
        else:
            running.failed(error)

    # -- what they need --------------------------------------------------------------------

    def _provide(self, running: _Running, need: Need) -> None:
        if not isinstance(need, NeedBlobs):
            running.missing = 1
            self._ask_root(need.namespace, partial(self._rooted, running))
            return
        running.missing = len(need.refs)
        for ref in need.refs:
            waiting = self._loading.get(ref)
            if waiting is not None:
                waiting.append(running)
                continue
            self._loading[ref] = [running]
            self.faults += 1
            self._flux.rpc("content.load", to_digest(ref)).then(partial(self._loaded, ref))

    def _rooted(self, running: _Running, error: OSError | None) -> None:
        running.error = error
        self._provided(running)

    def _loaded(self, ref: str, answer: Message) -> None:
        for running in self._loading.pop(ref):
            if answer.errnum:
                running.error = rpc_error(answer.errnum, answer.text)
            else:
                running.given[ref] = answer.data or b""
            self._provided(running)

    def _provided(self, running: _Running) -> None:
        running.missing -= 1
        if not running.missing:
            self._resume(running)
