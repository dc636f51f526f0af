"""Brokers that are killed in a real instance: how soon it is noticed, and what goes on (B4-B7)."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.blocking import Flux
from fluxcore.wire import constants as c
from support.flux_start import BARE, Started, started

pytestmark = pytest.mark.slow

HEARTBEAT = 0.1
SCRIPT = 'echo "$FLUX_URI"; exec cat >/dev/null'


@contextmanager
def instance(folder: Path, size: int, topo: str) -> Iterator[tuple[Started, Flux]]:
    """A running instance with a quick heartbeat, and a handle for rank 0."""
    options = ["-s", str(size), f"-Stbon.topo={topo}", "--test-exit-mode=leader"]
    args = [*options, "--test-exit-timeout=5s", *BARE, "sh", "-c", SCRIPT]
    with started(folder, *args) as run:
        uri = run.until(r"local://\S+")[0]
        with Flux(uri) as flux:
            flux.rpc("module.load", {"path": "heartbeat", "args": [f"period={HEARTBEAT}s"]})
            yield run, flux
            flux.rpc("module.remove", {"name": "heartbeat"})
        status, err = run.end()
        assert status == 0, err


def kill(flux: Flux, rank: int) -> None:
    answer = flux.rpc("attr.get", {"name": "broker.pid"}, nodeid=rank)
    os.kill(int(answer.json["value"]), signal.SIGKILL)


def until(health: Any, rank: int, status: str) -> dict[str, Any]:
    """Follow overlay.health until a child has that status; its entry."""
    while True:
        for child in health.get(10).json["children"]:
            if child["rank"] == rank and child["status"] == status:
                return dict(child)


def failure(pending: Any) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:
        pending.get(10)
    return caught.value.errno, caught.value.strerror


def test_a_leaf(short_path: Path) -> None:
    with instance(short_path, 4, "kary:2") as (_run, flux):
        health = flux.start("overlay.health", nodeid=1, flags=c.STREAMING)
        above = flux.start("overlay.health", flags=c.STREAMING)
        assert until(health, 3, "full")
        waiting = flux.start("state-machine.monitor", nodeid=3, flags=c.STREAMING)
        assert waiting.get(10).json == {"state": 5}
        kill(flux, 3)
        assert until(health, 3, "lost")["error"] == "lost connection"
        assert until(above, 1, "degraded")
        assert failure(waiting)[0] == errno.EHOSTUNREACH
        assert failure(flux.start("broker.ping", {}, nodeid=3)) == (
            errno.EHOSTUNREACH,
            os.strerror(errno.EHOSTUNREACH),
        )
        for rank in (0, 1, 2):
            assert flux.rpc("broker.ping", {}, nodeid=rank, timeout=10).json["rank"] == rank


@pytest.mark.parametrize(
    ("topo", "victim", "below", "others"),
    [("kary:2", 1, [3, 4], [2, 5, 6]), ("binomial", 4, [5, 6], [1, 2, 3])],
)
def test_a_broker_in_between(
    short_path: Path, topo: str, victim: int, below: list[int], others: list[int]
) -> None:
    """What is below it is lost with it, and ends by itself."""
    with instance(short_path, 7, topo) as (run, flux):
        health = flux.start("overlay.health", flags=c.STREAMING)
        waiting = [
            flux.start("state-machine.monitor", nodeid=rank, flags=c.STREAMING)
            for rank in (victim, *below)
        ]
        for pending in waiting:
            assert pending.get(10).json == {"state": 5}
        kill(flux, victim)
        assert until(health, victim, "lost")["error"] == "lost connection"
        for pending in waiting:
            assert failure(pending)[0] == errno.EHOSTUNREACH
        for rank in below:
            assert failure(flux.start("broker.ping", {}, nodeid=rank))[0] == errno.EHOSTUNREACH
        for rank in others:
            assert flux.rpc("broker.ping", {}, nodeid=rank, timeout=10).json["rank"] == rank
        log = flux.rpc("overlay.health", timeout=10).json
        assert log["status"] == "degraded"
    _status, err = run.end()
    assert "Exit timeout" not in err
    assert f"(rank {victim}) failed and severed contact with 2 other nodes" in err


def test_a_child_that_is_forced_out(short_path: Path) -> None:
    with instance(short_path, 4, "kary:2") as (_run, flux):
        health = flux.start("overlay.health", flags=c.STREAMING)
        flux.rpc("overlay.disconnect-subtree", {"rank": 1})
        assert until(health, 1, "lost")["error"] == "administrative disconnect"
        with pytest.raises(OSError, match="rank 1 is already lost"):
            flux.rpc("overlay.disconnect-subtree", {"rank": 1})
        assert failure(flux.start("broker.ping", {}, nodeid=3))[0] == errno.EHOSTUNREACH


def test_a_follower_gives_its_parent_up(short_path: Path) -> None:
    """overlay.disconnect-parent, as the heartbeat module asks for it (H1)."""
    with instance(short_path, 2, "kary:2") as (_run, flux):
        health = flux.start("overlay.health", flags=c.STREAMING)
        flux.notify("overlay.disconnect-parent", {"reason": "no heartbeat for 5m"}, nodeid=1)
        assert until(health, 1, "lost")
