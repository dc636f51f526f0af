"""The roots of namespaces that a follower does not know: it asks its parent (CONTRACTS C5)."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.kvs.namespace import Namespace, Namespaces
from fluxcore.wire.constants import UPSTREAM
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_int, need_str

Then = Callable[[OSError | None], None]
Ns = Namespace[Message]


@dataclass(slots=True)
class _Asking:
    """Who waits for a root, and what events have told of it since it was asked for.

    An event may overtake the answer, and then tells of the later root.
    """

    waiting: list[Then] = field(default_factory=list)
    latest: tuple[str, int] | None = None
    removed: bool = False


class RootAsker:
    """Asks for roots; ``changed`` is told of those who waited for a version that has come."""

    def __init__(
        self,
        flux: Flux,
        rank: int,
        namespaces: Namespaces[Message],
        changed: Callable[[Ns, list[Message]], None],
    ) -> None:
        self._flux = flux
        self._rank = rank
        self._namespaces = namespaces
        self._changed = changed
        self._asking: dict[str, _Asking] = {}

    def ask(self, name: str, then: Then) -> None:
        """Call ``then`` once namespace ``name`` is known here, or with why it cannot be."""
        if self._rank == 0:
            then(rpc_error(errno.ENOTSUP))  # it is here or nowhere
            return
        asking = self._asking.get(name)
        if asking is not None:
            asking.waiting.append(then)
            return
        self._asking[name] = _Asking([then])
        self._flux.rpc("kvs.getroot", {"namespace": name}, nodeid=self._rank, flags=UPSTREAM).then(
            partial(self._answered, name)
        )

    def seen_setroot(self, name: str, rootref: str, rootseq: int) -> None:
        """An event has told of a root of an unknown namespace."""
        asking = self._asking.get(name)
        if asking is not None:
            asking.latest = rootref, rootseq

    def seen_removed(self, name: str) -> None:
        """An event has told of the end of a namespace."""
        asking = self._asking.get(name)
        if asking is not None:
            asking.removed = True

    def _answered(self, name: str, answer: Message) -> None:
        asking = self._asking.pop(name)
        error: OSError | None = None
        try:
            if answer.errnum:
                raise rpc_error(answer.errnum, answer.text)
            if asking.removed:
                raise rpc_error(errno.ENOTSUP)
            self._learn(name, answer, asking.latest)
        except OSError as exc:
            error = exc
        for then in asking.waiting:
            then(error)

    def _learn(self, name: str, answer: Message, latest: tuple[str, int] | None) -> None:
        root = answer.json
        rootref, rootseq = need_str(root, "rootref"), need_int(root, "rootseq")
        namespace = self._namespaces.get(name)
        if namespace is None:
            owner, flags = need_int(root, "owner"), need_int(root, "flags")
            namespace = self._namespaces.create(name, owner, flags, rootref, rootseq)
        for known in ((rootref, rootseq), latest):
            if known is not None:
                self._changed(namespace, namespace.set_root(*known))
