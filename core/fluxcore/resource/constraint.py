"""Constraints on resources (RFC 31): which ranks a job may run on.

::

    {"and": [{"properties": ["amd", "^slow"]}, {"not": [{"hostlist": ["node[0-3]"]}]}]}

Several operators in one object all have to hold, and so have the values of ``and`` and of
``properties``; one value is enough for ``or``, ``hostlist`` and ``ranks``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet

#: A constraint: an object from operators to arrays.
Constraint = Mapping[str, Any]

#: Where in a constraint something is: the keys and indexes that lead to it.
Path = tuple[str | int, ...]

_GROUPS: Final = frozenset(("and", "or", "not"))
_LEAVES: Final = frozenset(("properties", "hostlist", "ranks"))
_ANY: Final = frozenset(("or", "hostlist", "ranks"))
_FORBIDDEN: Final = frozenset("&'\"`|()")
_MAX_DEPTH: Final = 32


class ConstraintError(ValueError):
    """A constraint is malformed; ``path`` leads to what is wrong with it."""

    def __init__(self, text: str, path: Path = ()) -> None:
        super().__init__(text)
        self.path = path


def check(constraint: object, path: Path = ()) -> None:
    """Check that ``constraint`` is one; ``path`` is what leads to it.

    :raises ConstraintError: with flux-core's words, as "unknown constraint operator 'foo'"
    """
    if not isinstance(constraint, dict):
        raise ConstraintError("constraints must be a mapping", path)
    if len(path) > _MAX_DEPTH:
        raise ConstraintError("constraints are nested too deeply", path)
    for operator, values in constraint.items():
        _check_operator(operator, values, (*path, operator))


def _check_operator(operator: str, values: object, path: Path) -> None:
    if operator not in _GROUPS and operator not in _LEAVES:
        raise ConstraintError(f"unknown constraint operator '{operator}'", path)
    if not isinstance(values, list):
        raise ConstraintError(f"argument to constraint {operator} must be a sequence", path)
    for at, value in enumerate(values):
        if operator in _GROUPS:
            check(value, (*path, at))
        else:
            _check_leaf(operator, value, (*path, at))


def _check_leaf(operator: str, value: object, path: Path) -> None:
    if not isinstance(value, str):
        raise ConstraintError(f"values of constraint {operator} must be strings", path)
    if operator == "properties" and not _FORBIDDEN.isdisjoint(value):
        raise ConstraintError(f"invalid character in property '{value}'", path)
    try:
        if operator == "hostlist":
            Hostlist.decode(value)
        elif operator == "ranks":
            IdSet.decode(value)
    except ValueError as exc:
        raise ConstraintError(str(exc), path) from None


class Inventory:
    """What a constraint is matched against: all ranks, who is where, who has which property.

    ``ranks`` are in ascending order and ``hosts`` go with them one to one.
    """

    __slots__ = ("_places", "_properties", "ranks")

    def __init__(self, ranks: IdSet, hosts: Iterable[str], properties: Mapping[str, IdSet]) -> None:
        self.ranks = ranks
        self._properties = properties
        self._places: dict[str, list[int]] = {}
        for rank, host in zip(ranks, hosts, strict=False):
            self._places.setdefault(host, []).append(rank)

    def matching(self, constraint: Constraint) -> IdSet:
        """The ranks for which a checked constraint holds."""
        matching = self.ranks
        for operator, values in constraint.items():
            matching &= self._operator(operator, values)
        return matching

    def _operator(self, operator: str, values: list[Any]) -> IdSet:
        """Where all, or any, of the values hold; ``not`` negates "all"."""
        found = [self._value(operator, value) for value in values]
        if operator in _ANY:
            # RFC 31: an "or" without values matches everything, as "and" does.
            some = IdSet() if values or operator != "or" else self.ranks
            for ranks in found:
                some |= ranks
            return some
        every = self.ranks
        for ranks in found:
            every &= ranks
        return self.ranks - every if operator == "not" else every

    def _value(self, operator: str, value: Any) -> IdSet:
        match operator:
            case "properties":
                return self._property(value)
            case "hostlist":
                return self._hosts(value)
            case "ranks":
                return IdSet.decode(value) & self.ranks
        return self.matching(value)

    def _property(self, name: str) -> IdSet:
        if name.startswith("^"):
            return self.ranks - self._properties.get(name[1:], IdSet())
        return self._properties.get(name, IdSet()) & self.ranks

    def _hosts(self, hosts: str) -> IdSet:
        return IdSet(
            [rank for host in Hostlist.decode(hosts) for rank in self._places.get(host, ())]
        )
