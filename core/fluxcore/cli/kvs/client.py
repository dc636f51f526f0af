"""What the commands of ``flux kvs`` ask the KVS for."""

import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from fluxcore.cli.command import plain_text
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.kvs.key import PRIMARY
from fluxcore.kvs.ops import Op
from fluxcore.kvs.treeobj import Treeobj, encode, is_valid, kind_of, make_dirref
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_int, need_str

NAMESPACE: Final = Option("namespace", "N", "NS", "use this namespace")
AT: Final = Option("at", "a", "TREEOBJ", "look below this root reference (see getroot)")

#: What to print of the new root after a commit.
ROOT_OPTIONS: Final = (
    Option("treeobj-root", "O", doc="print a reference to the new root (RFC 11)"),
    Option("blobref", "b", doc="print the new root's blobref"),
    Option("sequence", "s", doc="print the new root's sequence number"),
)


def namespace_of(parsed: Parsed, option: str = "namespace") -> str:
    """The namespace that was asked for, by default that of the environment, else primary."""
    return parsed.text(option) or os.environ.get("FLUX_KVS_NAMESPACE") or PRIMARY


def snapshot_of(parsed: Parsed, key: str) -> Treeobj | None:
    """The root reference given by --at.

    :raises CommandError: it is no JSON
    """
    text = parsed.text("at")
    if text is None:
        return None
    root = parse_object(text)
    if root is None:
        raise CommandError(f"{key}: Invalid argument")
    return root


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object that ``text`` is, or None if it is none."""
    try:
        obj = json.loads(text)
    except ValueError:
        return None
    return obj if isinstance(obj, dict) else None


def lookup_payload(
    key: str, flags: int, namespace: str, root: Treeobj | None = None
) -> dict[str, Any]:
    """The payload of a lookup, in a namespace or below a root."""
    if root is not None:
        return {"key": key, "flags": flags, "rootdir": root}
    return {"key": key, "namespace": namespace, "flags": flags}


def treeobj_of(answer: Message) -> Treeobj:
    """The object that a lookup has found.

    :raises PayloadError: there is none in the answer
    """
    obj = need_dict(answer.json, "val")
    if not is_valid(obj):
        raise PayloadError
    return obj


def look_up(
    flux: Flux, key: str, flags: int, namespace: str, root: Treeobj | None = None
) -> Treeobj:
    """What is stored under ``key``.

    :raises OSError: EINVAL for no key at all, ENOENT and the others of CONTRACTS C3
    """
    if not key:
        raise rpc_error(errno.EINVAL)
    return treeobj_of(flux.rpc("kvs.lookup", lookup_payload(key, flags, namespace, root)))


def entries_of(obj: Treeobj) -> list[tuple[str, Treeobj]]:
    """The entries of a dir, by name.

    :raises PayloadError: it is no dir
    """
    if kind_of(obj) != "dir":
        raise PayloadError
    entries: dict[str, Treeobj] = obj["data"]
    return sorted(entries.items())


def commit(flux: Flux, parsed: Parsed, ops: Sequence[Op], flags: int = 0) -> None:
    """Apply ``ops``, and print what ROOT_OPTIONS ask for.

    :raises CommandError: they were not applied
    """
    payload = {"namespace": namespace_of(parsed), "flags": flags, "ops": list(ops)}
    try:
        answer = flux.rpc("kvs.commit", payload).json
    except OSError as exc:
        raise CommandError(f"flux_kvs_commit: {plain_text(exc)}") from None
    if "treeobj-root" in parsed:
        print(encode(make_dirref(need_str(answer, "rootref"))).decode())
    elif "blobref" in parsed:
        print(need_str(answer, "rootref"))
    elif "sequence" in parsed:
        print(need_int(answer, "rootseq"))


def key_error(key: str, exc: OSError) -> CommandError:
    """The error of a request about ``key``."""
    return CommandError(f"{key}: {plain_text(exc)}")


def as_text(value: bytes) -> bytes:
    """What is shown of a value that is taken for text: C's idea of a string."""
    return value.partition(b"\0")[0]


def write(data: bytes) -> None:
    """Write bytes to stdout, behind what was printed, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
