"""Whatever is lost, frozen, restarted and delivered in whatever order: each request ends once.

The same story is told twice: step by step by hypothesis, which shrinks what fails to a few lines,
and in long seeded lives, which get further.
"""

import errno
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.simulated_overlay import Network, SimBroker

SERVICES = ("echo", "slow", "stream")
TOPOLOGIES = ("kary:1", "kary:2", "kary:3", "binomial", "kary:0")


class World:
    """A network, and what can happen to it; ``n`` chooses among the possibilities."""

    def __init__(self, topo: str, size: int) -> None:
        self.network = Network(topo, min(size, 6) if topo == "kary:1" else size)
        for rank in range(self.network.topology.size):
            self.network.start(rank)

    def living(self) -> list[SimBroker]:
        return [broker for broker in self.network.brokers.values() if broker.alive]

    def ask(self, n: int, goal: int, service: str) -> None:
        living = self.living()
        if living:
            target = goal % (self.network.topology.size + 1)  # one that does not exist, too
            self.network.rpc(living[n % len(living)].rank, target, service)

    def publish(self, n: int) -> None:
        living = self.living()
        if living:
            self.network.publish(living[n % len(living)].rank)

    def answer(self, n: int) -> None:
        servers = [broker.server for broker in self.living() if broker.server.kept]
        if servers:
            servers[n % len(servers)].answer()

    def deliver(self, n: int) -> None:
        self.network.deliver(n)

    def crash(self, n: int) -> None:
        living = self.living()
        if living:
            self.network.crash(living[n % len(living)].rank)

    def notice(self, n: int) -> None:
        wires = self.network.unnoticed()
        if wires:
            self.network.notice(wires[n % len(wires)])

    def restart(self, n: int) -> None:
        dead = [
            rank
            for rank in range(self.network.topology.size)
            if not self.network.alive(rank)
            and (rank == 0 or self.network.alive(self.network.topology.parent(rank) or 0))
        ]
        if dead:
            self.network.start(dead[n % len(dead)])

    def leave(self, n: int) -> None:
        leavers = [b for b in self.living() if not b.peers.online_count and not b.frozen]
        if leavers:
            leavers[n % len(leavers)].peers.stop_joining()
            leavers[n % len(leavers)].peers.say_goodbye()

    def disconnect(self, n: int) -> None:
        """overlay.disconnect-subtree."""
        online = [
            (broker, child.rank)
            for broker in self.living()
            for child in broker.peers.children.values()
            if child.status.online
        ]
        if online:
            broker, rank = online[n % len(online)]
            broker.peers.disconnect_child(rank)

    def freeze_or_thaw(self, n: int) -> None:
        living = self.living()
        if living:
            broker = living[n % len(living)]
            broker.frozen = not broker.frozen

    # -- what must hold --------------------------------------------------------------------

    def check(self) -> None:
        for broker in self.network.brokers.values():
            if broker.alive:
                broker.peers.validate_state()
            seqs = broker.client.events
            assert not seqs or seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            assert not [line for line in broker.log_lines if line.startswith("lost event")]
        for rpc in self.network.rpcs:
            assert len(rpc.ends) <= 1, "a request has ended twice"

    def come_to_rest(self) -> Counter[int]:
        """Let everything be noticed and answered; how many requests ended with which errno."""
        network = self.network
        for broker in network.brokers.values():
            broker.frozen = False
        for _ in range(6):
            network.settle()
            for wire in network.unnoticed():
                network.notice(wire)
            for broker in self.living():
                while broker.server.kept:
                    broker.server.answer()
            network.tick()
        self.check()
        for broker in self.living():
            parent = broker.peers.parent
            assert parent is None or not len(parent.tracker)
            assert not any(len(child.tracker) for child in broker.peers.children.values())
        ended = Counter[int]()
        for rpc in network.rpcs:
            if rpc.source.alive:
                (errnum,) = rpc.ends
                assert errnum in (0, errno.ENODATA, errno.EHOSTUNREACH)
                assert rpc.responses == 3 or errnum != errno.ENODATA
                ended[errnum] += 1
        return ended


number = st.integers(0, 1000)
numbers = st.lists(number, min_size=1, max_size=8)


class OverlayMachine(RuleBasedStateMachine):
    """The world, step by step."""

    @initialize(topo=st.sampled_from(TOPOLOGIES), size=st.integers(2, 30), met=st.booleans())
    def begin(self, topo: str, size: int, met: bool) -> None:
        self.world = World(topo, size)
        if met:
            self.world.network.settle()

    @rule(
        asks=st.lists(st.tuples(number, number, st.sampled_from(SERVICES)), min_size=1, max_size=9)
    )
    def ask(self, asks: list[tuple[int, int, str]]) -> None:
        for n, goal, service in asks:
            self.world.ask(n, goal, service)

    @rule(ns=numbers)
    def deliver(self, ns: list[int]) -> None:
        for n in ns:
            self.world.deliver(n)

    @rule(what=st.sampled_from(["publish", "answer", "notice", "restart", "leave"]), ns=numbers)
    def happen(self, what: str, ns: list[int]) -> None:
        act: Callable[[int], None] = getattr(self.world, what)
        for n in ns:
            act(n)

    @rule(what=st.sampled_from(["crash", "disconnect", "freeze_or_thaw"]), n=number)
    def suffer(self, what: str, n: int) -> None:
        getattr(self.world, what)(n)

    @rule()
    def settle(self) -> None:
        self.world.network.settle()

    @rule(seconds=st.sampled_from([1.0, 6.0, 31.0]))
    def tick(self, seconds: float) -> None:
        self.world.network.tick(seconds)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.come_to_rest()


TestOverlay = OverlayMachine.TestCase
TestOverlay.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOverlay = pytest.mark.slow(TestOverlay)

#: What happens in a long life, and how often.
WEIGHTS = {
    "deliver": 60, "ask": 25, "publish": 3, "answer": 4, "notice": 3, "restart": 3, "tick": 2,
    "freeze_or_thaw": 1, "crash": 1, "leave": 1, "disconnect": 1,
}  # fmt: skip


def live(seed: int, steps: int = 400) -> Counter[int]:
    """A life of chance events; how its requests ended."""
    chance = random.Random(seed)
    world = World(chance.choice(TOPOLOGIES), chance.randint(2, 30))
    world.network.settle()
    for what in chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=steps):
        n = chance.randrange(1 << 30)
        if what == "ask":
            world.ask(n, chance.randrange(1 << 30), chance.choice(SERVICES))
        elif what == "tick":
            world.network.tick(chance.choice([1.0, 6.0, 31.0]))
        else:
            getattr(world, what)(n)
        world.check()
    return world.come_to_rest()


@pytest.mark.slow
def test_long_lives() -> None:
    ended = Counter[int]()
    for seed in range(40):
        ended += live(seed)
    for errnum in (0, errno.ENODATA, errno.EHOSTUNREACH):
        assert ended[errnum] > 100, "the lives are not what they were meant to be"
