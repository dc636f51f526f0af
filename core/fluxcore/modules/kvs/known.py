"""The namespaces that a rank knows, and requests that wait until it knows one."""

from collections.abc import Callable
from functools import partial

from fluxcore.handle.aio import Flux
from fluxcore.handle.module import DEFERRED, Reply
from fluxcore.handle.requests import RequestList
from fluxcore.kvs.namespace import Namespaces
from fluxcore.modules.kvs.roots import Ns, RootAsker
from fluxcore.wire.constants import ROLE_OWNER
from fluxcore.wire.message import Message


def userid_of(req: Message) -> int | None:
    """Who asks, None for the instance's owner."""
    return None if req.rolemask & ROLE_OWNER else req.userid


class Known:
    """The table of namespaces; ``pending`` are requests that wait for something of them."""

    def __init__(
        self,
        flux: Flux,
        rank: int,
        changed: Callable[[Ns, list[Message]], None],
    ) -> None:
        self.namespaces: Namespaces[Message] = Namespaces()
        self.pending = RequestList(flux)
        self.roots = RootAsker(flux, rank, self.namespaces, changed)
        self._flux = flux
        self._rank = rank

    def rooted(self, req: Message, name: str, act: Callable[[Ns], Reply]) -> Reply:
        """What ``act`` answers to ``req`` for namespace ``name``, once that is known here.

        :raises OSError: ENOTSUP if there is none, EPERM if it is not for who asks
        """
        if self._rank == 0 or self.namespaces.get(name) is not None:
            return act(self.namespaces.need(name, userid_of(req)))
        self.pending.add(req)
        self.roots.ask(name, partial(self._root_known, req, name, act))
        return DEFERRED

    def _root_known(
        self, req: Message, name: str, act: Callable[[Ns], Reply], error: OSError | None
    ) -> None:
        self.pending.discard(req)
        try:
            if error is not None:
                raise error
            answer = act(self.namespaces.need(name, userid_of(req)))
        except OSError as exc:
            self._flux.core.respond_exception(req, exc)
        else:
            self._flux.core.answer(req, answer)

    def waiting(self) -> list[Message]:
        """Every request that waits: for a root, a blob, a version or its commit."""
        waiting = list(self.pending)
        for namespace in self.namespaces:
            waiting += [*namespace.commits.values(), *namespace.waiters]
        return waiting


__all__ = ["Known", "Ns", "userid_of"]
