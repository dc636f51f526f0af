"""``flux broker``: one broker, with flux-core's command line (CONTRACTS B12)."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fluxcore.cli.command import Command
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Option, Parsed

if TYPE_CHECKING:
    from fluxcore.broker.options import BrokerOptions

BROKER_OPTIONS: Final = (
    Option("verbose", "v", "LEVEL", "show the log on stderr, with more detail at level 2",
           optional=True),
    Option("setattr", "S", "ATTR=VAL", "set a broker attribute"),
    Option("config-path", "c", "PATH", "read the configuration from PATH (default: none)"),
    Option("conf", "", "VALUE", "change the configuration by VALUE"),
)  # fmt: skip


def broker_options(parsed: Parsed, command: Sequence[str]) -> "BrokerOptions":
    """The broker's options out of a command line.

    :raises CommandError: a --setattr has no value
    """
    from fluxcore.broker.options import BrokerOptions

    setattrs: list[tuple[str, str | None]] = []
    for text in parsed.texts("setattr"):
        name, equals, value = text.partition("=")
        if not name:
            raise CommandError(f"error parsing --setattr={text}")
        setattrs.append((name, value if equals else None))
    return BrokerOptions(
        command=list(command),
        setattrs=setattrs,
        conf_path=parsed.text("config-path") or os.environ.get("FLUX_CONF_DIR"),
        conf_updates=parsed.texts("conf"),
        verbose=parsed.integer("verbose", 0),
    )


def run(parsed: Parsed) -> int:
    """Run a broker in this process."""
    from fluxcore.bootstrap.run import run_broker

    return run_broker(broker_options(parsed, parsed.args))


BROKER: Final = Command(
    "flux-broker",
    "[OPTIONS] [initial-command ...]",
    "",
    run,
    BROKER_OPTIONS,
    ordered=True,
    binary=True,
)


def main() -> int:
    """The entry point of ``flux-broker``, for those who start brokers themselves."""
    return BROKER(sys.argv[1:])


__all__ = ["BROKER", "BROKER_OPTIONS", "broker_options", "main"]
