"""Updates of a jobspec or R after submission, as events carry them (RFC 21).

The context of ``jobspec-update`` is dotted paths with their new values; that of
``resource-update`` is a new expiration. What is updated is copied as far as it changes: others
may hold the old object.
"""

from collections.abc import Mapping
from typing import Any, Final

from fluxcore.job.jobspec import Jobspec

_ROOTS: Final = frozenset(("resources", "tasks", "attributes"))


def update_jobspec(jobspec: Jobspec, updates: Mapping[str, Any]) -> Jobspec:
    """``jobspec`` with ``updates``, which are not checked to make a valid one.

    :raises ValueError: a path does not begin with resources, tasks or attributes, or leads
        through something that is no object
    """
    for key, value in updates.items():
        path = key.split(".")
        if path[0] not in _ROOTS:
            raise ValueError(f"invalid jobspec key {key}")
        jobspec = _replaced(jobspec, path, value)
    return jobspec


def update_r(r: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """The R object ``r`` with the expiration in ``updates``, if there is one."""
    if "expiration" not in updates:
        return dict(r)
    return _replaced(r, ["execution", "expiration"], updates["expiration"])


def _replaced(obj: object, path: list[str], value: Any) -> dict[str, Any]:
    if not isinstance(obj, dict):
        raise ValueError(f"{path[0]} is in no object")
    key, *rest = path
    return {**obj, key: _replaced(obj.get(key, {}), rest, value) if rest else value}
