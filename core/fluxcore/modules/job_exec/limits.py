"""How much of a job's output goes into the KVS (CONTRACTS D21, ``output.limit``)."""

import base64
from collections.abc import Mapping
from typing import Any

#: From this on a stream is large enough to be spoken of.
_HIGH_VOLUME = 100 << 20


class OutputLimit:
    """Counts the bytes of each stream; what goes beyond the limit is cut off."""

    __slots__ = ("_bytes", "_limit", "_text")

    def __init__(self, limit: int, text: str) -> None:
        self._limit = limit
        self._text = text
        self._bytes = {"stdout": 0, "stderr": 0}

    def count(self, context: Mapping[str, Any]) -> str | None:
        """None if the data event is to be kept; else what is to be said about that, perhaps "".

        The end of a stream is always kept.
        """
        data = context.get("data")
        if data is None:
            return None
        stream = context["stream"]
        size = len(base64.b64decode(data)) if "encoding" in context else len(data.encode())
        before = self._bytes.get(stream, 0)
        self._bytes[stream] = before + size
        if before + size <= self._limit:
            return None
        return "" if before > self._limit else self._warning(stream)

    def _warning(self, stream: str) -> str:
        return f"{stream} will be truncated, {self._text} limit exceeded"

    def summary(self) -> list[str]:
        """What is to be said at the end."""
        said = []
        for stream in ("stderr", "stdout"):
            size = self._bytes[stream]
            if size > self._limit:
                said.append(f"{stream}: {size - self._limit} of {size} bytes truncated")
            elif size > _HIGH_VOLUME:
                said.append(
                    f"high {stream} volume ({size / (1 << 20):.8g}M), consider redirecting to a"
                    " file next time (e.g. use --output=FILE)"
                )
        return said


def format_size(size: int) -> str:
    """A size in bytes as flux-core writes it: ``10M``."""
    for suffix in ("", "K", "M"):
        if size % 1024 or not size:
            return f"{size}{suffix}"
        size //= 1024
    return f"{size}G"
