"""``flux start``: an instance, of one broker or, for tests and laptops, of several (B11)."""

import sys
from typing import Final

from fluxcore.cli.broker import BROKER_OPTIONS, broker_options
from fluxcore.cli.command import Command
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Option, Parsed

_OPTIONS: Final = (
    *BROKER_OPTIONS,
    Option("broker-opts", "o", "OPTS", "more options for the broker, separated by commas"),
    Option("test-size", "s", "N", "start an instance of N brokers on this machine"),
    Option("test-hosts", "", "HOSTLIST", "name the brokers' hosts"),
    Option("test-exit-timeout", "", "FSD", "how long the others may take once one has ended"),
    Option("test-exit-mode", "", "MODE", "what that counts from: any (default) or leader"),
    Option("test-rundir", "", "PATH", "use PATH for the brokers' sockets"),
    Option("test-rundir-cleanup", "", "", "remove that directory at the end"),
)  # fmt: skip
_TEST_ONLY: Final = (
    "test-hosts", "test-exit-timeout", "test-exit-mode", "test-rundir", "test-rundir-cleanup",
)  # fmt: skip


def run(parsed: Parsed) -> int:
    """Start the instance and wait for it."""
    from fluxcore.bootstrap.run import run_broker

    _add_broker_opts(parsed)
    options = broker_options(parsed, parsed.args)
    if "test-size" not in parsed:
        for name in _TEST_ONLY:
            if name in parsed:
                raise CommandError(f"--{name} only works with --test-size=N")
        return run_broker(options)
    from fluxcore.bootstrap.start import StartOptions, start_instance
    from fluxcore.resource.hostlist import Hostlist

    size = parsed.integer("test-size", 0)
    if size <= 0:
        raise CommandError("--test-size argument must be > 0")
    mode = parsed.text("test-exit-mode") or "any"
    if mode not in ("any", "leader"):
        raise CommandError("unknown --test-exit-mode=" + mode)
    hosts = None
    if "test-hosts" in parsed:
        try:
            hosts = list(Hostlist.decode(parsed.text("test-hosts") or ""))
        except ValueError as exc:
            raise CommandError(f"could not decode --test-hosts hostlist: {exc}") from None
        if len(hosts) != size:
            raise CommandError(f"--test-hosts hostlist has incorrect size (expected {size})")
    if not parsed.args and not sys.stdin.isatty():
        raise CommandError("stdin is not a tty - can't run interactive shell")
    wanted = StartOptions(
        size,
        options,
        hosts,
        parsed.text("test-rundir"),
        "test-rundir-cleanup" in parsed,
        parsed.duration("test-exit-timeout", 20.0),
        mode,
    )
    return start_instance(wanted, run_broker)


def _add_broker_opts(parsed: Parsed) -> None:
    """Take the options in --broker-opts as if they stood on the command line."""
    from fluxcore.cli.options import parse

    words = [word for text in parsed.texts("broker-opts") for word in text.split(",") if word]
    inner = parse(BROKER_OPTIONS, words)
    for option in BROKER_OPTIONS:
        for value in inner.texts(option.name):
            parsed.add(option.name, value)
        for _ in range(inner.count(option.name) - len(inner.texts(option.name))):
            parsed.add(option.name, None)


START: Final = Command(
    "flux-start",
    "[OPTIONS] [COMMAND ...]",
    "",
    run,
    _OPTIONS,
    ordered=True,
    binary=True,
)
