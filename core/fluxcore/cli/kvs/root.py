"""``flux kvs getroot``, ``version`` and ``wait`` (CONTRACTS C5, C6, C8)."""

from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import NAMESPACE, namespace_of
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.treeobj import encode, make_dirref
from fluxcore.wire.payload import need_int, need_str


def print_root(parsed: Parsed) -> None:
    """Print a reference to the root, or what is known of it."""
    if parsed.args:
        raise UsageError
    with connect() as flux:
        answer = _get_root(flux, parsed, "flux_kvs_getroot_get_treeobj")
    if "owner" in parsed:
        print(need_int(answer, "owner"))
    elif "sequence" in parsed:
        print(need_int(answer, "rootseq"))
    elif "blobref" in parsed:
        print(need_str(answer, "rootref"))
    else:
        print(encode(make_dirref(need_str(answer, "rootref"))).decode())


def print_version(parsed: Parsed) -> None:
    """Print the sequence number of the root."""
    with connect() as flux:
        print(need_int(_get_root(flux, parsed, "flux_kvs_get_version"), "rootseq"))


def _get_root(flux: Flux, parsed: Parsed, what: str) -> dict[str, object]:
    try:
        return flux.rpc("kvs.getroot", {"namespace": namespace_of(parsed), "flags": 0}).json
    except OSError as exc:
        raise CommandError(f"{what}: {plain_text(exc)}") from None


def wait(parsed: Parsed) -> None:
    """Wait until the root has a version."""
    if not parsed.args:
        raise UsageError
    text = parsed.args[0]
    if len(parsed.args) != 1 or not (text.isascii() and text.isdigit()):
        raise CommandError("wait: specify a version")
    payload = {"rootseq": int(text), "namespace": namespace_of(parsed)}
    with connect() as flux:
        try:
            flux.rpc("kvs.wait-version", payload)
        except OSError as exc:
            raise CommandError(f"flux_kvs_wait_version: {plain_text(exc)}") from None


GETROOT: Final = Command(
    "flux-kvs getroot",
    "[OPTIONS]",
    "Print a reference to the root",
    print_root,
    [
        NAMESPACE,
        Option("sequence", "s", doc="print its sequence number instead"),
        Option("owner", "o", doc="print the namespace's owner instead"),
        Option("blobref", "b", doc="print its blobref instead"),
    ],
)
VERSION: Final = Command(
    "flux-kvs version", "[-N ns]", "Print the version of the root", print_version, [NAMESPACE]
)
WAIT: Final = Command(
    "flux-kvs wait", "[-N ns] version", "Wait for a version of the root", wait, [NAMESPACE]
)
