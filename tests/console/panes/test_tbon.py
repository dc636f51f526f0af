import errno

import pytest

from fluxcore.resource.hostlist import Hostlist
from fluxtop.data.tbon import Health, HealthWatch, Subtree, Topology, TopologyWatch
from fluxtop.data.trouble import Trouble

pytestmark = pytest.mark.usefixtures("quick")


def pane(screen: str) -> list[str]:
    """The lines of the tree, without the frame."""
    lines = [line[1:44].rstrip() for line in screen.splitlines()]
    return lines[2 : next(at for at, line in enumerate(lines) if "3 KVS" in line) - 1]


async def test_brokers_are_shown_with_host_status_and_time(pilot, see):
    screen = await see(pilot, "4 full")
    assert pane(screen)[1:5] == [
        " ▾ 0 node0              ● full      1h 01m",
        " ├─ 1 node1             ● full      1h 01m",
        " ├─ 2 node2             ● full      1h 01m",
        " └─ 3 node3             ● full      1h 01m",
    ]


async def test_a_lost_broker_shows_at_once_with_its_reason(pilot, source, see):
    health = Health(
        Subtree(0, "degraded", 3.0),
        (
            Subtree(1, "full", 99.0),
            Subtree(2, "lost", 3.0, "reset"),
            Subtree(3, "offline", 2.0),
        ),
    )
    source.say(HealthWatch(0), health)
    screen = await see(pilot, "▲ degraded", "✖ lost", "○ offline", "2 node2 reset")
    assert "1 degraded, 1 lost, 1 offline" in screen


async def test_a_broker_is_folded_and_unfolded(pilot, see):
    await pilot.press("left")
    screen = await see(pilot, "▸ 0 node0 +3")
    assert "node1" not in "\n".join(pane(screen))
    await pilot.press("l")
    await see(pilot, "├─ 1 node1")


async def test_left_goes_to_the_broker_above(pilot, see):
    await pilot.press("j", "j", "left", "left")
    await see(pilot, "▸ 0 node0 +3")


async def test_only_the_health_of_unfolded_brokers_is_followed(make_app, source, see, until):
    parents = (-1, *((rank - 1) // 8 for rank in range(1, 585)))
    source.forget(TopologyWatch())
    source.forget(HealthWatch(0))
    source.say(TopologyWatch(), Topology(parents, Hostlist.decode("node[0-584]")))
    full = tuple(Subtree(rank, "full", 9.0) for rank in range(1, 9))
    source.say(HealthWatch(0), Health(Subtree(0, "full", 9.0), full))
    async with make_app(source).run_test(size=(120, 40)) as pilot:
        await see(pilot, "585 full", "[1-8] node[1-8]")
        watched = [s for s in source.watched if isinstance(s, HealthWatch)]
        assert watched == [HealthWatch(0)]
        await pilot.press("j", "enter", "j", "l")
        await until(pilot, lambda: HealthWatch(1) in source.watched)


async def test_a_filter_finds_a_broker_by_its_host(pilot, see):
    await pilot.press("slash", *"node2", "enter")
    screen = await see(pilot, "/node2")
    assert pane(screen)[1] == " 2 node2                ● full      1h 01m"
    assert "node1" not in "\n".join(pane(screen))
    await pilot.press("q")
    await see(pilot, "├─ 1 node1")


async def test_trouble_is_told_in_the_frame(pilot, source, see):
    source.say(TopologyWatch(), Trouble(errno.ENOSYS, "No service matching overlay"))
    await see(pilot, "ENOSYS: No service matching overlay", "3 node3")
    source.say(HealthWatch(0), Health(Subtree(0, "full", 1.0), ()))
    await see(pilot, "ENOSYS: No service matching overlay")
    source.say(TopologyWatch(), Topology((-1,), Hostlist.decode("node0")))
    await see(pilot, "1 full")
