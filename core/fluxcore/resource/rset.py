"""Resource sets: R (RFC 20), the cores and gpus of ranks.

A :class:`ResourceSet` is immutable. It is kept a node at a time, ids as bitmaps, so set
operations are integer operations; JSON groups the ranks that have equal children, as flux-core
does.
"""

from collections.abc import Mapping
from typing import Any

from fluxcore.resource import rset_json
from fluxcore.resource.constraint import Constraint, Inventory
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset_json import Node


class ResourceSet:
    """The resources of some ranks, with properties and the time that they may be used.

    ``nodes`` is by rank, ascending. ``starttime`` and ``expiration`` are in seconds since the
    Unix epoch, 0 for unset. ``nslots`` is the number of slots of an allocation, 0 for an
    inventory. ``scheduling`` is a scheduler's own data, which is only passed on.
    """

    __slots__ = ("expiration", "nodes", "nslots", "properties", "scheduling", "starttime")

    def __init__(
        self,
        nodes: Mapping[int, Node],
        properties: Mapping[str, IdSet] | None = None,
        *,
        starttime: float = 0.0,
        expiration: float = 0.0,
        nslots: int = 0,
        scheduling: Any = None,
    ) -> None:
        self.nodes: Mapping[int, Node] = dict(sorted(nodes.items()))
        self.properties: Mapping[str, IdSet] = dict(sorted((properties or {}).items()))
        self.starttime = starttime
        self.expiration = expiration
        self.nslots = nslots
        self.scheduling = scheduling

    # -- JSON ------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, obj: object) -> "ResourceSet":
        """The set that an R object is.

        :raises ValueError: it is none: what is wrong with it
        """
        execution = rset_json.execution(obj)
        return cls(
            rset_json.nodes(execution),
            rset_json.properties(execution),
            starttime=rset_json.number(execution, "starttime"),
            expiration=rset_json.number(execution, "expiration"),
            nslots=int(rset_json.number(execution, "nslots")),
            scheduling=obj.get("scheduling") if isinstance(obj, dict) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The set as an R object, its keys in flux-core's order."""
        execution: dict[str, Any] = {
            "R_lite": [
                {"rank": ranks.encode(), "children": _children_to_json(cores, gpus)}
                for ranks, cores, gpus in self._groups()
            ],
            "starttime": self.starttime,
            "expiration": self.expiration,
        }
        if self.nslots:
            execution["nslots"] = self.nslots
        if any(node.host for node in self.nodes.values()):
            execution["nodelist"] = [self.nodelist.encode()]
        if self.properties:
            execution["properties"] = {
                name: ranks.encode() for name, ranks in self.properties.items()
            }
        r: dict[str, Any] = {"version": 1, "execution": execution}
        if self.scheduling is not None:
            r["scheduling"] = self.scheduling
        return r

    def summary(self) -> str:
        """The set in a line, as annotations have it: ``rank[0-1]/core0 rank2/core[0-3],gpu0``."""
        texts = []
        for ranks, cores, gpus in self._groups():
            text = f"rank{ranks.encode(brackets=True)}/core{_bracketed(cores)}"
            texts.append(f"{text},gpu{_bracketed(gpus)}" if gpus else text)
        return " ".join(texts)

    def _groups(self) -> list[tuple[IdSet, int, int]]:
        """The ranks with equal children, in the order of each group's least rank."""
        groups: dict[tuple[int, int], list[int]] = {}
        for rank, node in self.nodes.items():
            groups.setdefault((node.cores, node.gpus), []).append(rank)
        return [(IdSet(ranks), cores, gpus) for (cores, gpus), ranks in groups.items()]

    # -- asking ----------------------------------------------------------------------------

    @property
    def ranks(self) -> IdSet:
        """The ranks of the set."""
        return IdSet(self.nodes)

    @property
    def nodelist(self) -> Hostlist:
        """The hosts in the order of their ranks."""
        return Hostlist([node.host for node in self.nodes.values()])

    @property
    def nnodes(self) -> int:
        """How many ranks there are."""
        return len(self.nodes)

    @property
    def ncores(self) -> int:
        """How many cores there are, on all ranks."""
        return sum([node.cores.bit_count() for node in self.nodes.values()])

    @property
    def ngpus(self) -> int:
        """How many gpus there are, on all ranks."""
        return sum([node.gpus.bit_count() for node in self.nodes.values()])

    def __bool__(self) -> bool:
        return bool(self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceSet) and self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return f"<ResourceSet {self.summary()}>"

    def inventory(self) -> Inventory:
        """What constraints on this set are matched against."""
        return Inventory(self.ranks, self.nodelist, self.properties)

    # -- making others ---------------------------------------------------------------------

    def _with_nodes(
        self, nodes: Mapping[int, Node], properties: Mapping[str, IdSet] | None = None
    ) -> "ResourceSet":
        return ResourceSet(
            nodes,
            restrict(self.properties if properties is None else properties, IdSet(nodes)),
            starttime=self.starttime,
            expiration=self.expiration,
            scheduling=self.scheduling,
        )

    def subset(self, ranks: IdSet) -> "ResourceSet":
        """What the set has on ``ranks``."""
        return self._with_nodes({r: node for r, node in self.nodes.items() if r in ranks})

    def matching(self, constraint: Constraint) -> "ResourceSet":
        """What the set has on the ranks for which a checked RFC 31 constraint holds."""
        return self.subset(self.inventory().matching(constraint))

    def __or__(self, other: "ResourceSet") -> "ResourceSet":
        """All of both sets; times are those of the left one."""
        nodes = dict(self.nodes)
        for rank, node in other.nodes.items():
            mine = nodes.get(rank, Node(node.host, 0, 0))
            nodes[rank] = Node(mine.host, mine.cores | node.cores, mine.gpus | node.gpus)
        properties = dict(self.properties)
        for name, ranks in other.properties.items():
            properties[name] = properties.get(name, IdSet()) | ranks
        return self._with_nodes(nodes, properties)

    def __and__(self, other: "ResourceSet") -> "ResourceSet":
        """The cores and gpus that are in both sets."""
        nodes = {
            rank: Node(node.host, node.cores & theirs.cores, node.gpus & theirs.gpus)
            for rank, node in self.nodes.items()
            if (theirs := other.nodes.get(rank)) is not None
        }
        return self._with_nodes(_occupied(nodes))

    def __sub__(self, other: "ResourceSet") -> "ResourceSet":
        """The cores and gpus that are not in the other set; a rank without any is left out."""
        nodes = dict(self.nodes)
        for rank in self.nodes.keys() & other.nodes.keys():
            node, theirs = nodes[rank], other.nodes[rank]
            nodes[rank] = Node(node.host, node.cores & ~theirs.cores, node.gpus & ~theirs.gpus)
        return self._with_nodes(_occupied(nodes))

    def __le__(self, other: "ResourceSet") -> bool:
        """True if every core and gpu is also in the other set."""
        return not self - other


def _occupied(nodes: Mapping[int, Node]) -> dict[int, Node]:
    return {rank: node for rank, node in nodes.items() if node.cores or node.gpus}


def restrict(properties: Mapping[str, IdSet], ranks: IdSet) -> dict[str, IdSet]:
    """The properties that some of ``ranks`` have, and those of them that have it."""
    restricted = {name: having & ranks for name, having in properties.items()}
    return {name: having for name, having in restricted.items() if having}


def _bracketed(mask: int) -> str:
    return IdSet.from_mask(mask).encode(brackets=True)


def _children_to_json(cores: int, gpus: int) -> dict[str, str]:
    children = {"core": IdSet.from_mask(cores).encode()}
    if gpus:
        children["gpu"] = IdSet.from_mask(gpus).encode()
    return children
