"""``flux kvs namespace`` (CONTRACTS C7)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fluxcore.cli.command import Command, Group
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, UsageError
from fluxcore.cli.kvs.client import key_error
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.blobref import blobref, hash_type
from fluxcore.kvs.directory import EMPTY_BLOB
from fluxcore.wire.payload import need_int, need_list, need_str

#: The owner of a namespace is then who creates it.
_OURSELVES: Final = -1


def create(parsed: Parsed) -> None:
    """Create namespaces."""
    if not parsed.args:
        raise UsageError
    owner = _owner(parsed.text("owner"))
    with connect() as flux:
        rootref = parsed.text("rootref")
        if rootref is None:
            rootref = blobref(EMPTY_BLOB, hash_type(flux.attr("content.hash")))
        for name in parsed.args:
            payload = {"namespace": name, "rootref": rootref, "owner": owner, "flags": 0}
            _ask(flux, "kvs.namespace-create", name, payload)


def _owner(text: str | None) -> int:
    if text is None:
        return _OURSELVES
    if not (text.isascii() and text.isdigit()):
        raise BadOptionError("Option 'owner' requires an integer argument")
    return int(text)


def remove(parsed: Parsed) -> None:
    """Remove namespaces."""
    if not parsed.args:
        raise UsageError
    with connect() as flux:
        for name in parsed.args:
            _ask(flux, "kvs.namespace-remove", name, {"namespace": name})


def _ask(flux: Flux, topic: str, name: str, payload: Mapping[str, Any]) -> None:
    """Only rank 0 knows what namespaces there are."""
    try:
        flux.rpc(topic, payload, nodeid=0)
    except OSError as exc:
        raise key_error(name, exc) from None


def list_namespaces(parsed: Parsed) -> None:
    """Print the namespaces that this rank knows."""
    if parsed.args:
        raise UsageError
    with connect() as flux:
        found = need_list(flux.rpc("kvs.namespace-list").json, "namespaces")
    for line in format_namespaces(found):
        print(line)


def format_namespaces(namespaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The table of ``namespaces``, as kvs.namespace-list has them."""
    yield f"{'NAMESPACE':<36} {'OWNER':>10} {'FLAGS':>10}"
    for each in namespaces:
        owner = need_int(each, "owner") & 0xFFFFFFFF
        yield f"{need_str(each, 'namespace'):<36} {owner:>10} 0x{need_int(each, 'flags'):08X}"


CREATE: Final = Command(
    "flux-kvs namespace create",
    "[OPTIONS] name [name...]",
    "Create namespaces",
    create,
    [
        Option("owner", "o", "UID", "the user whose namespaces they are"),
        Option("rootref", "r", "BLOBREF", "begin with this root"),
    ],
)
REMOVE: Final = Command("flux-kvs namespace remove", "name [name...]", "Remove namespaces", remove)
LIST: Final = Command("flux-kvs namespace list", "", "List namespaces", list_namespaces)
NAMESPACE: Final = Group(
    "flux-kvs namespace",
    "",
    "flux kvs namespace subcommands",
    {
        "create": ("fluxcore.cli.kvs.namespace:CREATE", "Create namespaces"),
        "remove": ("fluxcore.cli.kvs.namespace:REMOVE", "Remove namespaces"),
        "list": ("fluxcore.cli.kvs.namespace:LIST", "List namespaces"),
    },
)
