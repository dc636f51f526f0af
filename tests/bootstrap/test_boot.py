"""Bootstrap: brokers find each other by PMI (CONTRACTS B12)."""

import errno
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from fluxcore.bootstrap.boot import boot_methods, boot_pmi, boot_single
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.broker.setup import first_attributes
from support.leaks import no_leaks


class Pmi:
    """What all clients of a PMI server share."""

    def __init__(self, size: int, **preput: str) -> None:
        self.kvs = {key.replace("_", "."): value for key, value in preput.items()}
        self._barrier = threading.Barrier(size)

    def client(self) -> "PmiOfOne":
        return PmiOfOne(self.kvs, self._barrier)


class PmiOfOne:
    def __init__(self, kvs: dict[str, str], barrier: threading.Barrier) -> None:
        self._kvs = kvs
        self._barrier = barrier
        self.finalized = False
        self.kvsname = "job"

    def put(self, key: str, value: str) -> None:
        self._kvs[key] = value

    def get(self, key: str) -> str | None:
        return self._kvs.get(key)

    def barrier(self) -> None:
        self._barrier.wait(10)

    def finalize(self) -> None:
        self.finalized = True


def attributes(rundir: Path, host: str = "h", **values: str) -> Attributes:
    pairs = [(name.replace("__", "."), value) for name, value in values.items()]
    attrs = first_attributes(BrokerOptions(setattrs=pairs), host)
    attrs.set("rundir", str(rundir))
    return attrs


def boot_all(pmi: Pmi, size: int, rundir: Path, **values: str) -> list[Any]:
    """Each broker's boot info and attributes, or what it raised."""
    results: list[Any] = [None] * size

    def boot(rank: int) -> None:
        attrs = attributes(rundir, f"host{rank}", **values)
        try:
            info = boot_pmi(attrs, f"uuid-{rank}", pmi.client(), rank, size)
            results[rank] = (info, attrs)
        except (OSError, threading.BrokenBarrierError) as exc:
            pmi._barrier.abort()
            results[rank] = exc

    threads = [threading.Thread(target=boot, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def close(booted: list[Any]) -> None:
    for info, _attrs in booted:
        if info.sockets is not None:
            info.sockets.close()


ONE_NODE = {"flux_taskmap": "[[0,1,4,1]]"}


def test_four_brokers_on_one_node(short_path: Path) -> None:
    pmi = Pmi(4, **ONE_NODE)
    booted = boot_all(pmi, 4, short_path, tbon__topo="kary:2")
    infos: list[BootInfo] = [info for info, _attrs in booted]
    assert [list(info.hosts) for info in infos] == [["host0", "host1", "host2", "host3"]] * 4
    assert [info.method for info in infos] == ["simple"] * 4
    assert infos[2].attrs == {"broker.mapping": "[[0,1,4,1]]"}
    _info, attrs = booted[1]
    assert attrs["tbon.endpoint"] == f"ipc://{short_path}/tbon-1"
    assert attrs["tbon.parent-endpoint"] == f"ipc://{short_path}/tbon-0"
    assert booted[3][1].get("tbon.endpoint") is None, "a leaf listens to nobody"
    card = json.loads(pmi.kvs["1"])
    assert (card["host"], card["uri"]) == ("host1", [f"ipc://{short_path}/tbon-1"])
    assert len(card["pubkey"]) == 40
    assert len({json.loads(pmi.kvs[str(rank)])["pubkey"] for rank in range(4)}) == 4
    close(booted)


@pytest.mark.parametrize(
    ("preput", "values"),
    [
        ({}, {}),  # nobody says where they are
        ({"flux_taskmap": "[[0,2,2,1]]"}, {}),
        ({"flux_taskmap": "nonsense"}, {}),
        ({"flux_taskmap": "{}"}, {}),
        ({"flux_taskmap": "[[]]"}, {}),
        (ONE_NODE, {"tbon__prefertcp": "1"}),
    ],
)
def test_brokers_that_are_not_all_here_use_tcp(
    short_path: Path, preput: dict[str, str], values: dict[str, str]
) -> None:
    booted = boot_all(Pmi(2, **preput), 2, short_path, **values)
    assert booted[0][1]["tbon.endpoint"].startswith("tcp://")
    close(booted)


def test_a_server_that_knows_the_hosts_is_believed(short_path: Path) -> None:
    booted = boot_all(Pmi(2, flux_hostlist="a[1-2]"), 2, short_path)
    assert [list(info.hosts) for info, _attrs in booted] == [["a1", "a2"]] * 2
    close(booted)
    booted = boot_all(Pmi(2, flux_hostlist="a[1-3]"), 2, short_path)
    assert [list(info.hosts) for info, _attrs in booted] == [["host0", "host1"]] * 2
    close(booted)


def test_one_broker_needs_no_sockets(short_path: Path) -> None:
    attrs = attributes(short_path)
    info = boot_single(attrs)
    assert (info.rank, info.size, info.sockets, list(info.hosts)) == (0, 1, None, ["h"])
    assert (info.method, attrs["broker.mapping"]) == ("single", "[[0,1,1,1]]")
    ((info, _attrs),) = boot_all(Pmi(1), 1, short_path)
    assert info.sockets is None
    assert info.attrs == {"broker.mapping": "[[0,1,1,1]]"}


def test_a_job_of_another_instance(short_path: Path) -> None:
    """Only a job's shell says how deep it is; its key space has the job's name."""
    pmi = Pmi(2, **{"flux_instance-level": "1"})
    pmi.kvs["PMI_process_mapping"] = "(vector,(0,1,2))"
    booted = boot_all(pmi, 2, short_path)
    for info, _attrs in booted:
        assert info.attrs == {
            "instance-level": "1",
            "jobid": "job",
            "broker.mapping": "[[0,1,2,1]]",
        }
    close(booted)


def test_the_methods() -> None:
    both = ("simple", "single")
    for told, listed, methods in (
        (None, "", both),
        ("single", "", ["single"]),
        ("simple", "single", ["simple"]),
        (None, "single", ["single"]),
        (None, "simple single", list(both)),
        (None, "libpmi2 single", ["single"]),
    ):
        assert boot_methods(told, {"FLUX_PMI_CLIENT_METHODS": listed}) == methods
    for told, listed in (("libpmi", "single"), (None, "libpmi other")):
        with pytest.raises(FileNotFoundError) as caught:
            boot_methods(told, {"FLUX_PMI_CLIENT_METHODS": listed})
        assert caught.value.strerror == "bootstrap: plugin matching 'libpmi' not found"


def test_the_topology() -> None:
    for values, topo in (
        ({}, "kary:32"),
        ({"tbon__topo": "binomial"}, "binomial"),
        ({"tbon__fanout": "2"}, "kary:2"),
        ({"tbon__fanout": "2", "tbon__topo": "kary:3"}, "kary:3"),
    ):
        attrs = attributes(Path("/tmp"), **values)
        boot_single(attrs)
        assert attrs["tbon.topo"] == topo
    with pytest.raises(OSError, match="unknown topology scheme 'x'") as caught:
        boot_single(attributes(Path("/tmp"), tbon__topo="x"))
    assert caught.value.errno == errno.EINVAL


KEY = "0" * 40


@pytest.mark.parametrize(
    ("card", "text"),
    [
        ("{", "bizcard decode error: "),
        ("[]", "bizcard decode error: a key is missing"),
        ({"host": "h", "uri": []}, "bizcard decode error: a key is missing"),
        ({"host": "h", "pubkey": "short", "uri": ["ipc:///x"]}, "makes no sense"),
        ({"host": "h", "pubkey": "\u00fc" * 40, "uri": ["ipc:///x"]}, "makes no sense"),
        ({"host": "h", "pubkey": "|" * 40, "uri": ["ipc:///x"]}, "makes no sense"),
        ({"host": "h", "pubkey": 5, "uri": ["ipc:///x"]}, "makes no sense"),
        ({"host": 5, "pubkey": KEY, "uri": ["ipc:///x"]}, "makes no sense"),
        ({"host": "h", "pubkey": KEY, "uri": []}, "bizcard of rank 0 makes no sense"),
        ({"host": "h", "pubkey": KEY, "uri": "x"}, "bizcard of rank 0 makes no sense"),
        ({"host": "h", "pubkey": KEY, "uri": [5]}, "bizcard of rank 0 makes no sense"),
        ({"host": "h", "pubkey": KEY, "uri": ["x"]}, "connect x: Invalid argument"),
    ],
)
def test_a_card_of_the_parent_that_makes_no_sense(short_path: Path, card: Any, text: str) -> None:
    class Forged(PmiOfOne):
        def get(self, key: str) -> str | None:
            text = card if isinstance(card, str) else json.dumps(card)
            return text if key == "0" else super().get(key)

    pmi = Forged({}, threading.Barrier(1))
    with no_leaks(), pytest.raises(OSError, match=text):
        boot_pmi(attributes(short_path), "uuid-1", pmi, 1, 2)


def test_a_card_that_is_missing(short_path: Path) -> None:
    with pytest.raises(OSError, match="rank 0 has put no business card"):
        boot_pmi(attributes(short_path), "u", PmiOfOne({}, threading.Barrier(1)), 1, 2)


def test_our_own_address_is_one_that_can_be_bound(short_path: Path) -> None:
    booted = boot_all(Pmi(2), 2, short_path)
    host = booted[0][1]["tbon.endpoint"].removeprefix("tcp://").rpartition(":")[0]
    with socket.socket() as sock:
        sock.bind((host, 0))
    close(booted)
