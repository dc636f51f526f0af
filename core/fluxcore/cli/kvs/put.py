"""``flux kvs put`` (CONTRACTS C2, C8)."""

import errno
import os
import sys
from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import NAMESPACE, ROOT_OPTIONS, commit, key_error, parse_object
from fluxcore.cli.options import Option, Parsed
from fluxcore.kvs.ops import NO_MERGE, SYNC, Op, append, put, put_treeobj
from fluxcore.kvs.treeobj import is_valid


def put_values(parsed: Parsed) -> None:
    """Store values under keys, all or none."""
    if not parsed.args:
        raise UsageError
    flags = (NO_MERGE if "no-merge" in parsed else 0) | (SYNC if "sync" in parsed else 0)
    with connect() as flux:
        commit(flux, parsed, [make_op(parsed, arg) for arg in parsed.args], flags)


def make_op(parsed: Parsed, arg: str) -> Op:
    """The operation that ``key=value`` asks for; a raw value or object of ``-`` is read from stdin.

    :raises CommandError: there is no value, or it is no object though it should be
    """
    key, equals, text = arg.partition("=")
    if not equals:
        raise CommandError("put: you must specify a value as key=value")
    if not key or not _is_text(key):
        raise key_error(key, OSError(errno.EINVAL, ""))
    from_stdin = text == "-" and ("treeobj" in parsed or "raw" in parsed)
    value = sys.stdin.buffer.read() if from_stdin else os.fsencode(text)
    if "treeobj" in parsed:
        return _treeobj_op(key, value)
    return append(key, value) if "append" in parsed else put(key, value)


def _treeobj_op(key: str, value: bytes) -> Op:
    obj = parse_object(value)
    if obj is None or not is_valid(obj):
        raise key_error(key, OSError(errno.EPROTO, ""))
    return put_treeobj(key, obj)


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


PUT: Final = Command(
    "flux-kvs put",
    "[OPTIONS] key=value [key=value...]",
    "Store values, all or none",
    put_values,
    [
        NAMESPACE,
        *ROOT_OPTIONS,
        Option("raw", "r", doc="read the value from stdin if it is -"),
        Option("treeobj", "t", doc="the value is an object to store (RFC 11), - for stdin"),
        Option("no-merge", "n", doc="do not merge this commit with others"),
        Option("append", "A", doc="append to the keys' values"),
        Option("sync", "S", doc="wait until it is on disk"),
    ],
    binary=True,
)
