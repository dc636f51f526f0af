"""What is said of a job beside its events: by the scheduler, and by memos (RFC 27, RFC 21)."""

from collections.abc import Mapping
from typing import Any


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with what ``new`` says, object by object; null, and what it empties, goes.

    Neither is changed: both may have been handed on.
    """
    result = dict(old)
    for key, value in new.items():
        if isinstance(value, Mapping):
            before = result.get(key)
            value = merged(before if isinstance(before, Mapping) else {}, value) or None
        result[key] = value
    return {key: value for key, value in result.items() if value is not None}
