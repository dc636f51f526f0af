"""``flux module debug`` (CONTRACTS A25)."""

from typing import Final

from fluxcore.cli.command import Command, plain_text
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import BadOptionError, CommandError, UsageError
from fluxcore.cli.options import Option, Parsed
from fluxcore.wire.payload import need_int

# The option that wins if several are given comes first.
_OPS: Final = {"clear": "clr", "set": "set", "clearbit": "clrbit", "setbit": "setbit"}


def debug(parsed: Parsed) -> None:
    """Change a module's debug flags as asked for, and print them."""
    if len(parsed.args) != 1:
        raise UsageError
    topic = f"{parsed.args[0]}.debug"
    # Without an option nothing is changed: no bit is set.
    name = next((name for name in _OPS if name in parsed), "setbit")
    text = parsed.text(name)
    payload = {"op": _OPS[name], "flags": parse_mask(name, text) if text else 0}
    with connect() as flux:
        try:
            flags = need_int(flux.rpc(topic, payload).json, "flags")
        except OSError as exc:
            raise CommandError(f"{topic}: {plain_text(exc)}") from None
    print(f"{flags:#x}")


def parse_mask(name: str, text: str) -> int:
    """The number in an option's argument: decimal, 0x hexadecimal or 0 octal.

    :raises BadOptionError: it is none
    """
    octal = text.startswith("0") and text.isdigit()
    try:
        return int(text, 8 if octal else 0)
    except ValueError:
        raise BadOptionError(f"Option '{name}' requires an integer argument") from None


DEBUG: Final = Command(
    "flux-module debug",
    "[OPTIONS] module",
    "Get/set module debug flags",
    debug,
    [
        Option("clear", "C", doc="set the flags to 0"),
        Option("set", "S", "MASK", "set the flags to MASK"),
        Option("setbit", "s", "MASK", "set the bits of MASK"),
        Option("clearbit", "c", "MASK", "clear the bits of MASK"),
    ],
)
