"""Files that a jobspec brings along: ``attributes.system.files`` (RFC 37)."""

import base64
import binascii
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from fluxcore.shell.errors import init_error


def extract(files: Mapping[str, Any] | Sequence[Any], folder: str) -> None:
    """Make ``files`` in ``folder``; of an object, they are named by its keys.

    :raises ShellError: one is malformed, or cannot be made
    """
    for path, entry in _entries(files):
        try:
            _make(folder, path, entry)
        except ValueError as exc:
            raise init_error("files", f"{path}: {exc}", "files") from None
        except OSError as exc:
            raise init_error("files", f"{path}: {exc.strerror}", "files") from None


def _entries(files: Mapping[str, Any] | Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    named = files.items() if isinstance(files, Mapping) else [("", entry) for entry in files]
    for name, entry in named:
        if not isinstance(entry, dict) or not isinstance(entry.get("path", name), str):
            raise init_error("files", "error decoding fileref object", "files")
        yield entry.get("path", name), entry


def _make(folder: str, path: str, entry: Mapping[str, Any]) -> None:
    mode, data = entry.get("mode"), entry.get("data")
    if type(mode) is not int:
        raise ValueError("error decoding fileref object")
    if os.path.isabs(path) or ".." in path.split("/") or not path:
        raise ValueError("path is outside of the archive")
    place = os.path.join(folder, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if stat.S_ISREG(mode):
        _write(place, stat.S_IMODE(mode), b"" if data is None else _decode(entry))
    elif stat.S_ISDIR(mode):
        os.makedirs(place, stat.S_IMODE(mode), exist_ok=True)
    elif not stat.S_ISLNK(mode):
        raise ValueError(f"unknown file type (mode=0{mode:o})")
    elif isinstance(data, str):
        os.symlink(data, place)
    else:
        raise ValueError("missing symlink data")


def _decode(entry: Mapping[str, Any]) -> bytes:
    data, encoding = entry["data"], entry.get("encoding")
    if encoding is None:
        return orjson.dumps(data)
    if encoding == "utf-8":
        if not isinstance(data, str):
            raise ValueError("unexpected data type for utf8")
        return data.encode()
    if encoding == "base64":
        try:
            return base64.b64decode(data, validate=True)
        except (TypeError, binascii.Error):
            raise ValueError("could not decode base64 file data") from None
    raise ValueError(f"unknown RFC 37 encoding {encoding}")


def _write(place: str, mode: int, data: bytes) -> None:
    fd = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    with open(fd, "wb") as file:
        file.write(data)
