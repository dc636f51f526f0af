"""Reading the keys of a payload.

A key that is missing or holds another type than the contract says is EPROTO without text
(CONTRACTS A2); a key too many is ignored.
"""

from collections.abc import Mapping
from typing import Any

from fluxcore.wire.errors import PayloadError


def need_str(payload: Mapping[str, Any], key: str) -> str:
    """The string at ``key``."""
    value = payload.get(key)
    if type(value) is not str:
        raise PayloadError
    return value


def need_int(payload: Mapping[str, Any], key: str) -> int:
    """The integer at ``key``; a boolean is none."""
    value = payload.get(key)
    if type(value) is not int:
        raise PayloadError
    return value


def need_list(payload: Mapping[str, Any], key: str) -> list[Any]:
    """The array at ``key``."""
    value = payload.get(key)
    if type(value) is not list:
        raise PayloadError
    return value


def need_dict(payload: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object at ``key``."""
    value = payload.get(key)
    if type(value) is not dict:
        raise PayloadError
    return value


def need_bool(payload: Mapping[str, Any], key: str) -> bool:
    """The boolean at ``key``."""
    value = payload.get(key)
    if type(value) is not bool:
        raise PayloadError
    return value


def need_number(payload: Mapping[str, Any], key: str) -> float:
    """The number at ``key``, an integer or not."""
    value = payload.get(key)
    if type(value) not in (int, float):
        raise PayloadError
    assert isinstance(value, int | float)
    return float(value)


def opt_str(payload: Mapping[str, Any], key: str) -> str | None:
    """The string at ``key``, or None if the key is absent."""
    return need_str(payload, key) if key in payload else None


def opt_int(payload: Mapping[str, Any], key: str, default: int) -> int:
    """The integer at ``key``, or ``default`` if the key is absent."""
    return need_int(payload, key) if key in payload else default


def opt_bool(payload: Mapping[str, Any], key: str, default: bool = False) -> bool:
    """The boolean at ``key``, or ``default`` if the key is absent."""
    value = payload.get(key, default)
    if type(value) is not bool:
        raise PayloadError
    return value
