"""What a broker is started with: its command line, and what bootstrap has found out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fluxcore.overlay.sockets import OverlaySockets
from fluxcore.overlay.topology import Topology


@dataclass(slots=True)
class BrokerOptions:
    """The command line of ``flux broker``."""

    command: Sequence[str] = ()
    #: Names with their values; None where only the name was given.
    setattrs: Sequence[tuple[str, str | None]] = ()
    conf_path: str | None = None
    conf_updates: Sequence[str] = ()
    verbose: int = 0


@dataclass(slots=True)
class BootInfo:
    """Where this broker is in its instance, and its connection to the others."""

    rank: int
    size: int
    topology: Topology
    hosts: Sequence[str]
    sockets: OverlaySockets | None = None
    method: str = "single"
    attrs: dict[str, str] = field(default_factory=dict)
