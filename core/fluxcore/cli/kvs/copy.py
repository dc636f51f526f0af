"""``flux kvs copy`` and ``move`` (CONTRACTS C8)."""

from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.kvs.client import look_up, namespace_of
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.kvs.lookup import TREEOBJ
from fluxcore.kvs.ops import Op, put_treeobj, unlink


def copy(parsed: Parsed) -> None:
    """Let another key refer to what a key refers to."""
    _copy(parsed, "copy", remove=False)


def move(parsed: Parsed) -> None:
    """Copy a key, then remove it. The two are two commits, since namespaces may differ."""
    _copy(parsed, "move", remove=True)


def _copy(parsed: Parsed, name: str, *, remove: bool) -> None:
    if not parsed.args:
        raise UsageError
    if len(parsed.args) != 2:
        raise CommandError(f"{name}: specify srckey dstkey")
    source, target = parsed.args
    source_ns = namespace_of(parsed, "src-namespace")
    target_ns = namespace_of(parsed, "dst-namespace")
    with connect() as flux:
        try:
            obj = look_up(flux, source, TREEOBJ, source_ns)
            _commit(flux, target_ns, put_treeobj(target, obj))
            if remove:
                _commit(flux, source_ns, unlink(source))
        except OSError as exc:
            raise CommandError(f"flux_kvs_{name}: {plain_text(exc)}") from None


def _commit(flux: Flux, namespace: str, op: Op) -> None:
    flux.rpc("kvs.commit", {"namespace": namespace, "flags": 0, "ops": [op]})


_OPTIONS: Final = (
    Option("src-namespace", "S", "NS", "the namespace of the source"),
    Option("dst-namespace", "D", "NS", "the namespace of the destination"),
)
COPY: Final = Command("flux-kvs copy", "[OPTIONS] source destination", "Copy a key", copy, _OPTIONS)
MOVE: Final = Command("flux-kvs move", "[OPTIONS] source destination", "Move a key", move, _OPTIONS)
