"""``flux overlay status`` (CONTRACTS A35, B7, B8)."""

import errno
import time
from typing import Any, Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Option, Parsed
from fluxcore.cli.overlay.lookup import host_ranks
from fluxcore.cli.overlay.tree import Probe, StatusTree, Topology
from fluxcore.handle.blocking import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.wire.constants import STREAMING

_STATES: Final = ("full", "partial", "degraded", "lost", "offline")
_TIMEOUT: Final = 0.5


def status(parsed: Parsed) -> None:
    """Print the health of the brokers at and below a rank."""
    wait = parsed.text("wait")
    if wait is not None and wait not in _STATES:
        raise CommandError("invalid --wait state")
    rank = parsed.integer("rank", 0)
    timeout = parsed.duration("timeout", _TIMEOUT)
    verbose = parsed.integer("verbose", 0)
    with connect() as flux:
        hosts = Hostlist.decode(flux.attr("hostlist"))
        topology = Topology(flux.rpc("overlay.topology", {"rank": 0}, nodeid=0).json)
        tree = StatusTree(
            topology,
            hosts,
            _prober(flux, wait, timeout),
            verbose=verbose,
            summary="summary" in parsed,
            down="down" in parsed,
            pretty="no-pretty" not in parsed,
            ghosts="no-ghost" not in parsed,
            color=parsed.color(),
            highlighted=_highlighted(parsed, topology, hosts),
        )
        for line in tree.walk(rank):
            print(line, flush=True)


def _prober(flux: Flux, wait: str | None, timeout: float) -> Probe:
    """Asks a broker for its health; if there is a state to wait for, until it is in it."""

    def probe(rank: int) -> tuple[dict[str, Any], float]:
        start = time.monotonic()
        flags = STREAMING if wait else 0
        pending = flux.start("overlay.health", nodeid=rank, flags=flags)
        while True:
            left = timeout - (time.monotonic() - start) if timeout else 0.0
            if timeout and left <= 0:
                raise rpc_error(errno.ETIMEDOUT)
            try:
                answer = pending.get(left).json
            except TimeoutError:
                raise rpc_error(errno.ETIMEDOUT) from None
            if wait is None or answer.get("status") == wait:
                return answer, (time.monotonic() - start) * 1000

    return probe


def _highlighted(parsed: Parsed, topology: Topology, hosts: Hostlist) -> set[int]:
    """The ranks that --highlight names, and those above them."""
    ranks = IdSet()
    for text in parsed.texts("highlight"):
        try:
            ranks |= IdSet.decode(text)
        except ValueError:
            ranks |= _ranks_of_hosts(text, hosts)
    beyond = ranks - IdSet.span(0, len(hosts) - 1)
    if beyond:
        plural = "s" if len(beyond) > 1 else ""
        everything = IdSet.span(0, len(hosts) - 1)
        raise CommandError(f"--highlight: rank{plural} {beyond} not in set {everything}")
    return topology.with_ancestors(ranks)


def _ranks_of_hosts(text: str, hosts: Hostlist) -> IdSet:
    try:
        return host_ranks(text, hosts)
    except ValueError as exc:
        raise CommandError(f"Error decoding {text}: {exc}") from None


STATUS: Final = Command(
    "flux overlay status",
    "[OPTIONS]",
    "Show the health of the brokers as a tree",
    status,
    [
        Option("rank", "r", "RANK", "begin at RANK (default 0)"),
        Option(
            "verbose",
            "v",
            "[LEVEL]",
            "1: show how long each state has lasted; 2: also how long each broker took to answer",
            optional=True,
        ),
        Option("timeout", "t", "FSD", "how long a broker may take (default 0.5s, 0 for ever)"),
        Option("summary", doc="show only the state of the whole"),
        Option("down", doc="show only what is not full"),
        Option("no-pretty", doc="do not draw the tree"),
        Option("no-ghost", doc="leave out brokers that cannot be reached behind others"),
        Option(
            "color",
            "L",
            "WHEN",
            "use colours: always (without WHEN), never, or auto (the default: on a terminal)",
            optional=True,
            attached=True,
        ),
        Option("highlight", "H", "TARGET", "set off ranks or hosts and those above them"),
        Option("wait", "w", "STATE", f"wait for the state ({', '.join(_STATES)})"),
    ],
)
