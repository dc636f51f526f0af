"""``flux getattr``, ``setattr`` and ``lsattr``: the broker's attributes (CONTRACTS A30, A31)."""

from collections.abc import Mapping
from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.wire.payload import need_list


def get_attribute(parsed: Parsed) -> None:
    """Print an attribute's value."""
    if len(parsed.args) != 1:
        raise UsageError
    name = parsed.args[0]
    with connect() as flux:
        try:
            value = flux.attr(name)
        except OSError as exc:
            raise CommandError(f"{name}: {plain_text(exc)}") from None
    print(value)


def set_attribute(parsed: Parsed) -> None:
    """Set an attribute."""
    if len(parsed.args) != 2:
        raise UsageError
    name, value = parsed.args
    payload: dict[str, object] = {"name": name, "value": value}
    if "force" in parsed:
        payload["force"] = True
    with connect() as flux:
        try:
            flux.rpc("attr.set", payload)
        except OSError as exc:
            raise CommandError(f"{name}: {exc.strerror}") from None


def list_attributes(parsed: Parsed) -> None:
    """Print the names of the attributes, with --values their values too."""
    if parsed.args:
        raise UsageError
    with connect() as flux:
        names = sorted(need_list(flux.rpc("attr.list").json, "names"))
        values = {name: _value(flux, name) for name in names} if "values" in parsed else {}
    for name in names:
        print(format_attribute(name, values))


def _value(flux: Flux, name: str) -> str | None:
    try:
        return flux.attr(name)
    except FileNotFoundError:
        return None


def format_attribute(name: str, values: Mapping[str, str | None]) -> str:
    """The line for ``name``: with its value if ``values`` has it, "-" for one that is not set."""
    if name not in values:
        return name
    value = values[name]
    return f"{name:<40}{'-' if value is None else value}"


GETATTR: Final = Command("flux getattr", "name", "Print a broker attribute", get_attribute)
SETATTR: Final = Command(
    "flux setattr",
    "name value",
    "Set a broker attribute",
    set_attribute,
    [Option("force", "f", doc="set it even if it may not change at run time")],
)
LSATTR: Final = Command(
    "flux lsattr",
    "[-v]",
    "List the broker attributes",
    list_attributes,
    [Option("values", "v", doc="show their values too")],
)
