"""The ``[resource]`` table and the module's arguments (CONTRACTS H4)."""

import errno
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error
from fluxcore.job.fsd import parse_fsd
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node

_KEYS: Final = (
    "path", "scheduling", "config", "verify", "exclude", "norestrict", "noverify",
    "no-update-watch", "rediscover", "journal-max", "history",
)  # fmt: skip
_ENTRY_KEYS: Final = frozenset(("hosts", "cores", "gpus", "properties"))
_JOURNAL_MAX: Final = 100_000
_HISTORY: Final = "90d"


@dataclass(frozen=True, slots=True)
class Options:
    """What is configured.

    ``configured`` are resources that are given instead of discovered. ``exclude`` are targets
    (ranks or hosts) that nothing is scheduled on. ``history`` is how many seconds of drain events
    are kept.
    """

    configured: ResourceSet | None = None
    exclude: str = ""
    noverify: bool = False
    journal_max: int = _JOURNAL_MAX
    history: float = math.inf
    truncate: bool = True
    force_up: bool = False


def parse_options(args: Sequence[str], conf: Mapping[str, Any]) -> Options:
    """The options of a configuration and of the module's arguments.

    :raises OSError: EINVAL and which is wrong
    """
    table = conf.get("resource", {})
    if not isinstance(table, dict):
        raise _invalid("error parsing [resource] configuration: it is no table")
    for key in table:
        if key not in _KEYS:
            raise _invalid(f"error parsing [resource] configuration: unknown key {key}")
    for arg in args:
        if arg not in ("monitor-force-up", "noverify", "notruncate"):
            raise _invalid(f"unknown option: {arg}")
    return Options(
        configured=_configured(table),
        exclude=_typed(table, "exclude", str, ""),
        noverify=_typed(table, "noverify", bool, False) or "noverify" in args,
        journal_max=_typed(table, "journal-max", int, _JOURNAL_MAX),
        history=_seconds(_typed(table, "history", str, _HISTORY)),
        truncate="notruncate" not in args,
        force_up="monitor-force-up" in args,
    )


def _invalid(text: str) -> OSError:
    return rpc_error(errno.EINVAL, text)


def _typed(table: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if type(value) is not kind:
        raise _invalid(f"error parsing [resource] configuration: {key} must be a {kind.__name__}")
    return value


def _seconds(text: str) -> float:
    try:
        return parse_fsd(text)
    except ValueError:
        raise _invalid("invalid history time") from None


def _configured(table: Mapping[str, Any]) -> ResourceSet | None:
    if "config" in table:
        return _from_config(table["config"])
    if "path" not in table:
        return None
    path = _typed(table, "path", str, "")
    return load_r(path, errno.EINVAL)


def load_r(path: str, malformed: int = errno.EPROTO) -> ResourceSet:
    """The R in a file.

    :raises OSError: ENOENT, or ``malformed`` if it is none, and why
    """
    try:
        with open(path, "rb") as file:
            return ResourceSet.from_json(json.load(file))
    except OSError as exc:
        raise rpc_error(errno.ENOENT, f"{path}: {exc.strerror}") from None
    except ValueError as exc:
        raise rpc_error(malformed, f"{path}: {exc}") from None


def _from_config(config: object) -> ResourceSet:
    """The resources of a ``[[resource.config]]`` array: ranks in the order of the hosts."""
    where = "error parsing [resource.config] array"
    if not isinstance(config, list):
        raise _invalid(f"{where}: resource config must be an array")
    ranks: dict[str, int] = {}
    nodes: dict[int, Node] = {}
    properties: dict[str, IdSet] = {}
    for at, entry in enumerate(config):
        try:
            _take_entry(entry, ranks, nodes, properties)
        except ValueError as exc:
            raise _invalid(f"{where}: config[{at}]: {exc}") from None
    return ResourceSet(nodes, properties)


def _take_entry(
    entry: object, ranks: dict[str, int], nodes: dict[int, Node], properties: dict[str, IdSet]
) -> None:
    if not isinstance(entry, dict) or not _ENTRY_KEYS.issuperset(entry) or "hosts" not in entry:
        raise ValueError("an entry has hosts, and may have cores, gpus and properties")
    texts = [entry.get(key, "") for key in ("hosts", "cores", "gpus")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("hosts, cores and gpus must be strings")
    hosts, cores, gpus = Hostlist.decode(texts[0]), *map(IdSet.decode, texts[1:])
    if not hosts:
        raise ValueError("empty hostlist specified")
    mine = IdSet([ranks.setdefault(host, len(ranks)) for host in hosts])
    for host in hosts:
        before = nodes.get(ranks[host], Node(host, 0, 0))
        nodes[ranks[host]] = Node(host, before.cores | cores.mask(), before.gpus | gpus.mask())
    names = entry.get("properties", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("properties must be an array")
    for name in names:
        properties[name] = properties.get(name, IdSet()) | mine
