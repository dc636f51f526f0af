"""Reading an R object (RFC 20), with everything from outside bounded.

Each function raises ValueError if its part of the object is malformed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

#: Bounds on what an R from outside may make us allocate.
MAX_NODES: Final = 2**20
MAX_CHILD_ID: Final = 2**16

#: Idsets of up to so many characters are remembered.
_SHORT: Final = 32


class Node(NamedTuple):
    """What one rank has: its host ("" if unknown), and the ids of its cores and gpus as bits."""

    host: str
    cores: int
    gpus: int


def execution(obj: object) -> Mapping[str, Any]:
    """The resources in an R object."""
    if not isinstance(obj, dict) or not isinstance(obj.get("execution"), dict):
        raise ValueError("R must be an object with the key execution")
    if obj.get("version") != 1:
        raise ValueError(f"R version {obj.get('version')} not supported")
    resources: dict[str, Any] = obj["execution"]
    return resources


def nodes(execution: Mapping[str, Any]) -> dict[int, Node]:
    """The nodes by rank, ascending; equal ranks in several entries are one."""
    entries = execution.get("R_lite")
    if not isinstance(entries, list):
        raise ValueError("R has no R_lite")
    groups = [_group(entry) for entry in entries]
    if sum([len(ranks) for ranks, _, _ in groups]) > MAX_NODES:
        raise ValueError("R_lite has too many ranks")
    found: dict[int, Node] = {}
    for ranks, cores, gpus in groups:
        for rank in ranks:
            before = found.get(rank, Node("", 0, 0))
            found[rank] = Node("", before.cores | cores, before.gpus | gpus)
    return _with_hosts(dict(sorted(found.items())), execution.get("nodelist", []))


def _group(entry: object) -> tuple[IdSet, int, int]:
    """The ranks of an entry of R_lite, and the cores and gpus that each has."""
    if not isinstance(entry, dict) or not isinstance(entry.get("children"), dict):
        raise ValueError("an entry of R_lite must have a rank and children")
    children = entry["children"]
    cores = _idset(children.get("core", ""), MAX_CHILD_ID).mask()
    gpus = _idset(children.get("gpu", ""), MAX_CHILD_ID).mask()
    return _idset(entry.get("rank"), MAX_NODES), cores, gpus


def _with_hosts(nodes: dict[int, Node], nodelist: object) -> dict[int, Node]:
    if not isinstance(nodelist, list) or not all(isinstance(part, str) for part in nodelist):
        raise ValueError("the nodelist of R must be an array of strings")
    hosts = Hostlist.decode(",".join(nodelist))
    if not hosts:
        return nodes
    if len(hosts) != len(nodes):
        raise ValueError(f"R has {len(nodes)} ranks and {len(hosts)} hosts")
    return {
        rank: Node(host, node.cores, node.gpus)
        for host, (rank, node) in zip(hosts, nodes.items(), strict=True)
    }


def properties(execution: Mapping[str, Any]) -> dict[str, IdSet]:
    """The ranks that have each property."""
    mapping = execution.get("properties", {})
    if not isinstance(mapping, dict):
        raise ValueError("the properties of R must be an object")
    return {name: _idset(ranks, MAX_NODES) for name, ranks in mapping.items()}


def _idset(text: object, limit: int) -> IdSet:
    if not isinstance(text, str):
        raise ValueError("an idset of R must be a string")
    # The allocations of many small jobs are made of the same few sets.
    ids = _short_idset(text) if len(text) <= _SHORT else IdSet.decode(text)
    if ids and ids.last >= limit:
        raise ValueError(f"id {ids.last} of R is out of range")
    return ids


_short_idset: Final = lru_cache(maxsize=1024)(IdSet.decode)


def number(execution: Mapping[str, Any], key: str) -> float:
    """The number at ``key``, 0 if it is absent."""
    value = execution.get(key, 0.0)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{key} of R must be a number")
    return float(value)
