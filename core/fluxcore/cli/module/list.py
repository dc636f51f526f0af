"""``flux module list`` (CONTRACTS A20, A21).

The columns are those of the tutorial: name, seconds since the module last sent a message, state
and the services that it offers beside its own name. With -l there are queue lengths and path
too, as flux-core prints them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.wire.payload import need_int, need_list, need_str, opt_int

#: Seconds after which a module is just "idle".
MAX_IDLE: Final = 99

_STATES: Final = "IRFX"
_SERVICE_WIDTH: Final = 8


def list_modules(parsed: Parsed) -> None:
    """Print the broker's modules."""
    if parsed.args:
        raise UsageError
    with connect() as flux:
        modules = need_list(flux.rpc("module.list").json, "mods")
    for line in format_modules(modules, long="long" in parsed):
        print(line)


def format_modules(modules: Sequence[dict[str, Any]], *, long: bool = False) -> Iterator[str]:
    """The table of ``modules``, as module.list has them: the header, then a line each."""
    if long:
        yield f"{'Module':<25} Idle  S Sendq Recvq {'Service':<8} Path"
    else:
        yield f"{'Module':<24} Idle  S Service"
    for module in modules:
        yield _format_long(module) if long else _format(module)


def _format(module: dict[str, Any]) -> str:
    name = need_str(module, "name")
    return f"{name:<24.24} {_idle(module):>4}  {_state(module)} {services(module)}"


def _format_long(module: dict[str, Any]) -> str:
    name, path = need_str(module, "name"), need_str(module, "path")
    queues = [opt_int(module, key, 0) for key in ("sendqueue", "recvqueue")]
    other = services(module)
    if len(other) > _SERVICE_WIDTH:
        other = other[: _SERVICE_WIDTH - 1] + "+"
    return (
        f"{name:<25.25} {_idle(module):>4}  {_state(module)} {queues[0]:5d} {queues[1]:5d}"
        f" {other:<{_SERVICE_WIDTH}} {path}"
    )


def _idle(module: dict[str, Any]) -> str:
    idle = need_int(module, "idle")
    return str(idle) if idle <= MAX_IDLE else "idle"


def _state(module: dict[str, Any]) -> str:
    status = need_int(module, "status")
    return _STATES[status] if 0 <= status < len(_STATES) else "?"


def services(module: dict[str, Any]) -> str:
    """The services a module offers beside its own name, joined by commas."""
    return ",".join(name for name in need_list(module, "services") if name != module["name"])


LIST: Final = Command(
    "flux-module list",
    "[OPTIONS]",
    "List loaded modules",
    list_modules,
    [Option("long", "l", doc="show queue lengths and paths too")],
)
