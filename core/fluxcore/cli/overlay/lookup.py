"""``flux overlay lookup`` and ``parentof`` (CONTRACTS B8)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.options import Parsed
from fluxcore.cli.overlay.tree import Topology
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet


def lookup(parsed: Parsed) -> None:
    """Print the hosts of ranks, or the ranks of hosts."""
    if len(parsed.args) != 1:
        raise UsageError
    with connect() as flux:
        hosts = Hostlist.decode(flux.attr("hostlist"))
    try:
        print(translate(parsed.args[0], hosts))
    except ValueError as exc:
        raise CommandError(str(exc)) from None


def translate(target: str, hosts: Hostlist) -> str:
    """The hosts of an idset of ranks, or the ranks of a list of hosts.

    :raises ValueError: it is neither, or names what is not there
    """
    try:
        ranks = IdSet.decode(target)
    except ValueError:
        return str(host_ranks(target, hosts))
    for rank in ranks:
        if rank >= len(hosts):
            raise ValueError(f"rank {rank} is not in host map")
    return Hostlist(hosts[rank] for rank in ranks).encode()


def host_ranks(target: str, hosts: Hostlist) -> IdSet:
    """The ranks of a list of hosts; of several on one host, the first.

    :raises ValueError: it is no list of hosts, or one is not there
    """
    try:
        names = Hostlist.decode(target)
    except ValueError:
        raise ValueError("target must be a valid idset or hostlist") from None
    for name in names:
        if name not in hosts:
            raise ValueError(f"host {name} not found in host map")
    return IdSet(hosts.index(name) for name in names)


def parent_of(parsed: Parsed) -> None:
    """Print the rank of the broker above a broker."""
    if len(parsed.args) != 1:
        raise UsageError
    text = parsed.args[0]
    if not (text.isascii() and text.isdigit()):
        raise CommandError("RANK must be a valid rank")
    rank = int(text)
    with connect() as flux:
        topology = Topology(flux.rpc("overlay.topology", {"rank": 0}, nodeid=0).json)
    if rank not in topology.children:
        raise CommandError(f"{rank} is not a valid rank in this instance")
    if rank not in topology.parent:
        raise CommandError(f"{rank} has no parent")
    print(topology.parent[rank])


LOOKUP: Final = Command(
    "flux overlay lookup", "TARGET", "Turn ranks into hosts, or hosts into ranks", lookup
)
PARENTOF: Final = Command(
    "flux overlay parentof", "RANK", "Print the rank of the broker above RANK", parent_of
)
