"""Bootstrap: a broker finds its place and its neighbours (CONTRACTS B12)."""

import errno
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from fluxcore.bootstrap.pmi_client import PmiClient
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.options import BootInfo
from fluxcore.handle.errors import rpc_error
from fluxcore.overlay.settings import OverlaySettings
from fluxcore.overlay.sockets import KeyPair, OverlaySockets, is_public_key
from fluxcore.overlay.topology import Topology

_DEFAULT_TOPO: Final = "kary:32"
_METHODS: Final = ("simple", "single")

#: What a PMI server that is part of Flux has put in advance.
_LEVEL_KEY: Final = "flux.instance-level"
#: Where the brokers are: as Flux says it (RFC 34), and as others do (RFC 13).
_MAPPING_KEYS: Final = ("flux.taskmap", "PMI_process_mapping")
#: The hosts of all ranks, from a server that knows them; else they are gathered.
HOSTS_KEY: Final = "flux.hostlist"


def boot_methods(told: str | None, environ: Mapping[str, str]) -> Sequence[str]:
    """The methods that may be tried: one by attribute, or those of a list in the environment (B12).

    ``simple`` is PMI-1, used where PMI_FD says that there is a server; ``single`` is alone.

    :raises OSError: ENOENT: none of them is ours
    """
    listed = [told] if told else environ.get("FLUX_PMI_CLIENT_METHODS", "").split()
    methods = [method for method in listed if method in _METHODS]
    if listed and not methods:
        raise rpc_error(errno.ENOENT, f"bootstrap: plugin matching '{listed[0]}' not found")
    return methods or _METHODS


def boot_single(attrs: Attributes) -> BootInfo:
    """An instance of this one broker."""
    topology = Topology.parse(_topo_uri(attrs), 1)
    attrs.set("broker.mapping", "[[0,1,1,1]]")
    return BootInfo(0, 1, topology, [attrs["hostname"]])


def boot_pmi(attrs: Attributes, uuid: str, pmi: PmiClient, rank: int, size: int) -> BootInfo:
    """A broker among ``size`` that the same PMI server has started.

    Each puts a business card (host, public key, URIs) under its rank; after a barrier the cards
    of the parent and the children are looked at.

    :raises OSError: the exchange fails, or an attribute is wrong
    """
    topology = Topology.parse(_topo_uri(attrs), size)
    boot = BootInfo(rank, size, topology, [attrs["hostname"]], method="simple")
    boot.attrs.update(_told(pmi, size))
    if size > 1:
        boot.sockets = _exchange(attrs, uuid, pmi, boot)
    try:
        if size > 1:
            boot.hosts = _hosts(pmi, size)
        pmi.barrier()
        pmi.finalize()
    except BaseException:
        if boot.sockets is not None:
            boot.sockets.close()
        raise
    return boot


def _told(pmi: PmiClient, size: int) -> dict[str, str]:
    """The attributes that the PMI server has the values of."""
    told = {}
    level = pmi.get(_LEVEL_KEY)
    if level is not None:
        # Only a job's shell knows the level: its key space is named after the job.
        told["instance-level"] = level
        told["jobid"] = pmi.kvsname
    mapping = "[[0,1,1,1]]" if size == 1 else _mapping(pmi)
    if mapping is not None:
        told["broker.mapping"] = mapping
    return told


def _mapping(pmi: PmiClient) -> str | None:
    """Where the brokers are, as a task map (RFC 34); None if nobody says so, or it is nonsense."""
    from fluxcore.job.taskmap import Taskmap

    for key in _MAPPING_KEYS:
        text = pmi.get(key)
        if text is not None:
            try:
                return Taskmap.decode(text).encode()
            except ValueError:
                return None
    return None


def _topo_uri(attrs: Attributes) -> str:
    fanout = attrs.get("tbon.fanout")
    return attrs.setdefault("tbon.topo", f"kary:{fanout}" if fanout else _DEFAULT_TOPO)


@dataclass(frozen=True, slots=True)
class _Card:
    """A broker's business card: its host, its public key (Z85), where it listens."""

    host: str
    pubkey: str
    uri: list[str]


def _exchange(attrs: Attributes, uuid: str, pmi: PmiClient, boot: BootInfo) -> OverlaySockets:
    keys = KeyPair.generate()
    settings = OverlaySettings.read(attrs)
    sockets = OverlaySockets(keys, settings.io_threads, settings.child_rcvhwm)
    try:
        _connect(sockets, keys, attrs, uuid, pmi, boot)
    except BaseException:
        sockets.close()
        raise
    return sockets


def _connect(
    sockets: OverlaySockets,
    keys: KeyPair,
    attrs: Attributes,
    uuid: str,
    pmi: PmiClient,
    boot: BootInfo,
) -> None:
    """Exchange cards with the others; listen to the children, connect to the parent."""
    children = boot.topology.children(boot.rank)
    uris = []
    if children:
        attrs.set("tbon.endpoint", sockets.bind(_endpoint(attrs, boot)))
        uris.append(attrs["tbon.endpoint"])
    card = _Card(attrs["hostname"], keys.public, uris)
    pmi.put(str(boot.rank), json.dumps(asdict(card), separators=(",", ":")))
    pmi.barrier()
    for child in children:
        sockets.allow(_card(pmi, child).pubkey)
    parent = boot.topology.parent(boot.rank)
    if parent is not None:
        above = _card(pmi, parent)
        if not above.uri:
            raise _senseless(parent)
        attrs.set("tbon.parent-endpoint", above.uri[0])
        sockets.connect(above.uri[0], above.pubkey, uuid)


def _card(pmi: PmiClient, rank: int) -> _Card:
    text = pmi.get(str(rank))
    if text is None:
        raise rpc_error(errno.EPROTO, f"rank {rank} has put no business card")
    try:
        card = json.loads(text)
    except ValueError as exc:
        raise rpc_error(errno.EPROTO, f"bizcard decode error: {exc}") from None
    if not isinstance(card, dict) or not {"host", "pubkey", "uri"} <= card.keys():
        raise rpc_error(errno.EPROTO, "bizcard decode error: a key is missing")
    host, pubkey, uri = card["host"], card["pubkey"], card["uri"]
    listens = isinstance(uri, list) and all(isinstance(each, str) for each in uri)
    if not (isinstance(host, str) and listens and is_public_key(pubkey)):
        raise _senseless(rank)
    return _Card(host, pubkey, uri)


def _senseless(rank: int) -> OSError:
    return rpc_error(errno.EPROTO, f"bizcard of rank {rank} makes no sense")


def _hosts(pmi: PmiClient, size: int) -> list[str]:
    from fluxcore.resource.hostlist import Hostlist

    known = pmi.get(HOSTS_KEY)
    if known is not None:
        hosts = list(Hostlist.decode(known))
        if len(hosts) == size:
            return hosts
    return [_card(pmi, rank).host for rank in range(size)]


def _endpoint(attrs: Attributes, boot: BootInfo) -> str:
    """Where to listen: in the rundir if every broker is on this machine, else on TCP."""
    one_node = _single_node(boot.attrs.get("broker.mapping"))
    if attrs.setdefault("tbon.prefertcp", "0") == "0" and one_node:
        return f"ipc://{attrs['rundir']}/tbon-{boot.rank}"
    return f"tcp://{_own_address()}:*"


def _single_node(mapping: str | None) -> bool:
    """True if a task map (RFC 34) has every rank on one node."""
    try:
        blocks = json.loads(mapping or "[]")
        return len(blocks) == 1 and blocks[0][0] == 0 and blocks[0][1] == 1
    except (ValueError, TypeError, LookupError):
        return False


def _own_address() -> str:
    """The address that the default route leaves from; the loopback if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
