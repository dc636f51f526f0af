"""The tree that ``flux overlay status`` prints, without IO.

Each broker is asked about itself and its children, from the top down. Below one that does not
answer the *fixed* tree is followed: brokers there share the fate of the one above them, and are
shown as ghosts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from fluxcore.cli import ansi
from fluxcore.job.fsd import format_fsd
from fluxcore.wire.payload import need_int, need_list, need_str, opt_str

_PIPE: Final = "│  "
_TEE: Final = "├─ "
_ELBOW: Final = "└─ "
_BLANK: Final = "   "

#: What a broker answers when asked for its health, and how many milliseconds that took.
Probe = Callable[[int], tuple[dict[str, Any], float]]

_T = TypeVar("_T")

_GONE: Final = ("lost", "offline")
_COLORS: Final = {"lost": ansi.RED, "offline": ansi.YELLOW}


class Topology:
    """The fixed tree of brokers: for each rank, the ranks right below it."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        """Read the answer of overlay.topology for rank 0."""
        self.children: dict[int, list[int]] = {}
        self.parent: dict[int, int] = {}
        stack = [answer]
        while stack:
            node = stack.pop()
            rank = need_int(node, "rank")
            below = need_list(node, "children")
            self.children[rank] = [need_int(child, "rank") for child in below]
            self.parent.update(dict.fromkeys(self.children[rank], rank))
            stack += below

    def with_ancestors(self, ranks: Iterable[int]) -> set[int]:
        """``ranks`` and all ranks above them."""
        marked: set[int] = set()
        for start in ranks:
            rank: int | None = start
            while rank is not None and rank not in marked:
                marked.add(rank)
                rank = self.parent.get(rank)
        return marked


class Node:
    """A broker as it is shown; ``asked`` if it has answered for itself."""

    __slots__ = ("asked", "duration", "error", "ghost", "rank", "status", "took")

    def __init__(
        self,
        rank: int,
        status: str,
        duration: float = -1.0,
        error: str = "",
        *,
        asked: bool = False,
        ghost: bool = False,
        took: float = 0.0,
    ) -> None:
        self.rank = rank
        self.status = status
        self.duration = duration
        self.error = error
        self.asked = asked
        self.ghost = ghost
        self.took = took


class StatusTree:
    """Walks the tree and gives the lines of it.

    ``verbose`` 1 shows for how long each state has lasted, 2 how long the answers took;
    ``summary`` shows the state of the top alone, ``down`` only what is not full; ``pretty``
    draws the lines of the tree; ``ghosts`` shows what is below brokers that are gone;
    ``highlighted`` ranks are set off, with colours or in ``<<>>``.
    """

    def __init__(
        self,
        topology: Topology,
        hosts: Sequence[str],
        probe: Probe,
        *,
        verbose: int = 0,
        summary: bool = False,
        down: bool = False,
        pretty: bool = True,
        ghosts: bool = True,
        color: bool = False,
        highlighted: set[int] | None = None,
    ) -> None:
        self._topology = topology
        self._hosts = hosts
        self._probe = probe
        self._verbose = verbose
        self._summary = summary
        self._down = down
        self._pretty = pretty
        self._ghosts = ghosts
        self._color = color
        self._highlighted = highlighted or set()

    def walk(self, rank: int) -> Iterator[str]:
        """The lines for the subtree at ``rank``.

        :raises OSError: that broker itself does not answer
        """
        answer, took = self._probe(rank)
        yield from self._answered(answer, took, "", "")

    def _answered(
        self, answer: dict[str, Any], took: float, lead: str, below: str
    ) -> Iterator[str]:
        """A broker that has answered, and what is below it."""
        node = Node(
            need_int(answer, "rank"),
            need_str(answer, "status"),
            float(answer.get("duration", -1.0)),
            asked=True,
            took=took,
        )
        if self._summary:
            yield self._status(node) + self._took(node)
            return
        if self._down and node.status == "full":
            return
        yield self._line(node, lead)
        if self._descends(node):
            children = need_list(answer, "children")
            for child, child_lead, child_below in _branches(children, below):
                yield from self._child(child, child_lead, child_below)

    def _child(self, entry: dict[str, Any], lead: str, below: str) -> Iterator[str]:
        """A broker as its parent sees it; if it is there it is asked itself."""
        node = Node(
            need_int(entry, "rank"),
            need_str(entry, "status"),
            float(entry.get("duration", -1.0)),
            opt_str(entry, "error") or "",
        )
        if self._down and node.status == "full":
            return
        if self._is_shown(node):
            yield self._line(node, lead)
        if not self._descends(node):
            return
        if node.status not in _GONE:
            try:
                answer, took = self._probe(node.rank)
            except OSError as exc:
                yield f"{self._lead(lead)}{self._name(node.rank)}: {exc.strerror}"
            else:
                yield from self._answered(answer, took, lead, below)
                return
        if self._ghosts:
            yield from self._below_gone(node.rank, node.status, below)

    def _below_gone(self, rank: int, status: str, below: str) -> Iterator[str]:
        """What must be below a broker that is gone, by the fixed tree."""
        children = self._topology.children.get(rank, [])
        for child, child_lead, child_below in _branches(children, below):
            node = Node(child, status, ghost=True)
            if self._is_shown(node):
                yield self._line(node, child_lead)
            if self._descends(node):
                yield from self._below_gone(child, status, child_below)

    def _descends(self, node: Node) -> bool:
        return bool(self._topology.children.get(node.rank)) or self._verbose >= 2

    def _is_shown(self, node: Node) -> bool:
        """False for one that will be asked: its own answer is shown instead."""
        return node.status in _GONE or not self._descends(node)

    # -- a line ----------------------------------------------------------------------------

    def _line(self, node: Node, lead: str) -> str:
        error = f" {node.error}" if node.error else ""
        status = self._status(node)
        return f"{self._lead(lead)}{self._name(node.rank)}: {status}{error}{self._took(node)}"

    def _lead(self, lead: str) -> str:
        return lead if self._pretty else ""

    def _name(self, rank: int) -> str:
        host = self._hosts[rank] if rank < len(self._hosts) else "?"
        name = f"{rank} {host}"
        if rank not in self._highlighted:
            return name
        return f"{ansi.BOLD_BLUE}{name}{ansi.RESET}" if self._color else f"<<{name}>>"

    def _status(self, node: Node) -> str:
        status = node.status
        if self._color:
            color = ansi.DARK_GRAY if node.ghost else _COLORS.get(status)
            status = f"{color}{status}{ansi.DEFAULT}" if color else status
        if self._verbose >= 1 and node.duration > 0:
            status += f" for {format_fsd(node.duration)}"
        return status

    def _took(self, node: Node) -> str:
        return f" ({node.took:.3f} ms)" if node.asked and self._verbose >= 2 else ""


def _branches(children: Sequence[_T], below: str) -> Iterator[tuple[_T, str, str]]:
    """Each child, what is drawn before it, and before what is below it."""
    for at, child in enumerate(children):
        last = at == len(children) - 1
        yield child, below + (_ELBOW if last else _TEE), below + (_BLANK if last else _PIPE)
