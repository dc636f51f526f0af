"""The parts of the resource module that need no instance."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job.eventlog import Event
from fluxcore.modules.resource.availability import Acquisition, Availability
from fluxcore.modules.resource.drains import Drains
from fluxcore.modules.resource.local import core_cpus, differences, discover
from fluxcore.modules.resource.options import load_r, parse_options
from fluxcore.modules.resource.reduction import Reduction
from fluxcore.resource.hostlist import Hostlist
from fluxcore.resource.idset import IdSet
from fluxcore.resource.rset import ResourceSet
from fluxcore.resource.rset_json import Node
from support.job_instance import error_of

HOSTS = Hostlist.decode("n[0-7]")


def ids(text: str) -> IdSet:
    return IdSet.decode(text)


def own(rank: int, cores: int = 2) -> ResourceSet:
    return ResourceSet({rank: Node(f"n{rank}", (1 << cores) - 1, 0)})


def refused(call: Any, *args: Any) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:
        call(*args)
    return error_of(caught.value)


# -- drains ----------------------------------------------------------------------------------


def test_drained_ranks_are_told_by_time_and_reason() -> None:
    drains = Drains(HOSTS)
    drains.drain(ids("1-2"), 100.4, "broken")
    drains.drain(ids("4"), 100.2, "broken")
    drains.drain(ids("5"), 100.2, None)
    assert drains.to_json() == {
        "1-2,4": {"timestamp": 100.0, "reason": "broken"},
        "5": {"timestamp": 100.0, "reason": ""},
    }
    drains.undrain(ids("1-7"))
    assert drains.to_json() == {}


def test_draining_again() -> None:
    drains = Drains(HOSTS)
    drains.drain(ids("1-2"), 1.0, None)
    drains.drain(ids("1"), 2.0, "first")  # it had no reason yet
    drains.drain(ids("1"), 3.0, "second")
    assert drains.to_json()["1"] == {"timestamp": 1.0, "reason": "first"}
    drains.drain(ids("1"), 4.0, "third", 1)
    assert drains.to_json()["1"] == {"timestamp": 1.0, "reason": "third"}
    drains.drain(ids("1"), 5.0, "fourth", 2)
    assert drains.to_json()["1"] == {"timestamp": 5.0, "reason": "fourth"}


def test_who_may_not_be_drained() -> None:
    drains = Drains(HOSTS)
    drains.drain(ids("1-3"), 1.0, "x")
    drains.drain(ids("4"), 1.0, None)
    for targets, excluded, error in (
        ("1", "", (errno.EEXIST, "rank 1 already drained")),
        ("1-5", "", (errno.EEXIST, "ranks 1-3 already drained")),
        ("1-5", "5", (errno.EEXIST, "ranks 1-3,5 already drained or excluded")),
        ("5", "5-6", (errno.EINVAL, "rank 5 excluded")),
    ):
        assert refused(drains.check_drain, ids(targets), ids(excluded)) == error
    drains.check_drain(ids("4-7"), ids(""))
    assert refused(drains.check_undrain, ids("4-6")) == (errno.EEXIST, "ranks 5-6 not drained")
    assert refused(drains.check_undrain, ids("0")) == (errno.EEXIST, "rank 0 not drained")
    drains.check_undrain(ids("1-4"))


_DRAIN = st.tuples(
    st.booleans(), st.sets(st.integers(0, 7), min_size=1), st.sampled_from([0, 1, 2])
)


@settings(max_examples=50)
@given(st.lists(_DRAIN, max_size=20), st.integers(0, 20))
def test_what_was_drained_is_after_a_restart(
    steps: list[tuple[bool, set[int], int]], checkpoint_at: int
) -> None:
    drains, events, checkpoint = Drains(HOSTS), [], None
    for at, (drain, ranks, overwrite) in enumerate(steps):
        if at == checkpoint_at:
            checkpoint = drains.checkpoint(at - 0.5)
        idset = IdSet(ranks)
        context = {"idset": idset.encode(), "nodelist": drains.nodelist(idset)}
        if drain:
            reason = f"r{at}"
            drains.drain(idset, float(at), reason, overwrite)
            context = {**context, "reason": reason, "overwrite": str(overwrite)}
            events.append(Event(float(at), "drain", {**context, "overwrite": overwrite}))
        else:
            drains.undrain(idset)
            events.append(Event(float(at), "undrain", context))
    again = Drains(HOSTS)
    since = again.restore(checkpoint) if checkpoint is not None else 0.0
    again.replay(events, since)
    assert again.to_json() == drains.to_json()


def test_hosts_that_have_other_ranks_now() -> None:
    events = [Event(1.0, "drain", {"idset": "1-3", "nodelist": "n[1-3]", "reason": "x"})]
    moved = Drains(Hostlist.decode("n3,n9,n1"))
    moved.replay(events, 0.0)
    assert moved.ranks == ids("0,2")


@pytest.mark.parametrize(
    "context", [{}, {"idset": 1, "nodelist": "n1"}, {"idset": "z", "nodelist": "n1"}]
)
def test_a_malformed_log(context: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Drains(HOSTS).replay([Event(1.0, "drain", context)], 0.0)


# -- availability ----------------------------------------------------------------------------


def test_what_a_scheduler_is_told() -> None:
    drains = Drains(HOSTS)
    availability = Availability(4, drains, IdSet())
    acquisition = Acquisition(ids("0-3"), availability)
    assert acquisition.up == ids("")
    availability.set_online(ids("0-2"))
    assert acquisition.update() == {"up": "0-2"}
    drains.drain(ids("1"), 1.0, "x")
    assert acquisition.update() == {"down": "1"}
    assert acquisition.update() == {}
    availability.set_torpid(ids("0"))
    drains.undrain(ids("1"))
    assert acquisition.update() == {"up": "1", "down": "0"}


def test_a_lost_rank_does_not_come_back_unless_it_is_configured() -> None:
    for shrinking in (True, False):
        availability = Availability(4, Drains(HOSTS), IdSet())
        availability.shrinking = shrinking
        availability.set_online(ids("0-3"))
        acquisition = Acquisition(ids("0-3"), availability)
        assert acquisition.up == ids("0-3")
        assert availability.set_online(ids("0-2")) == (ids(""), ids("3"))
        lost = {"down": "3", "shrink": "3"} if shrinking else {"down": "3"}
        assert acquisition.update() == lost
        availability.set_online(ids("0-3"))
        assert acquisition.update() == ({} if shrinking else {"up": "3"})


def test_a_late_scheduler_does_not_get_lost_ranks() -> None:
    availability = Availability(4, Drains(HOSTS), IdSet())
    availability.shrinking = True
    availability.set_online(ids("0-3"))
    availability.set_online(ids("0-1"))
    acquisition = Acquisition(ids("0-3"), availability)
    availability.set_online(ids("0-3"))
    assert acquisition.up == ids("0-1")
    assert acquisition.update() == {}


# -- discovery -------------------------------------------------------------------------------


def test_a_subtree_adds_up() -> None:
    reduction = Reduction(own(1), 3)
    assert not reduction.complete
    below = Reduction(own(3), 1)
    below.add(1, own(7).to_json())
    assert reduction.add(**_renamed(below.to_json()))
    assert reduction.add(1, own(4).to_json())
    assert reduction.complete
    assert reduction.total.ranks == ids("1,3-4,7")
    assert not reduction.add(1, own(4).to_json())  # once more, after a reload
    assert reduction.count == 4
    with pytest.raises(ValueError):
        reduction.add(1, {"version": 1})


def _renamed(report: dict[str, Any]) -> dict[str, Any]:
    return {"count": report["count"], "resources": report["resource"]}


def test_this_machine() -> None:
    cores = core_cpus()
    assert cores
    assert len(frozenset().union(*cores)) == sum(map(len, cores))
    assert discover(5, "me").summary() == f"rank5/core{_cores(len(cores))}"


def _cores(count: int) -> str:
    return "0" if count == 1 else f"[0-{count - 1}]"


def test_what_a_rank_lacks() -> None:
    expected = own(0, 4) | own(1, 2)
    assert differences(expected, own(1, 3), 1) == ""
    assert differences(expected, own(0, 2), 0) == "rank 0 (n0) missing resources: core[2-3]"
    other = ResourceSet({1: Node("x", 3, 0)})
    assert differences(expected, other, 1) == "rank 1 got hostname 'x', expected 'n1'"
    assert differences(expected, own(2), 2) == "rank 2 not found in expected ranks"


# -- configuration ---------------------------------------------------------------------------


def test_configured_resources() -> None:
    entries = [
        {"hosts": "a[1-2],b", "cores": "0-1", "properties": ["x"]},
        {"hosts": "b", "gpus": "0"},
    ]
    rset = parse_options([], {"resource": {"config": entries}}).configured
    assert rset is not None
    assert rset.summary() == "rank[0-1]/core[0-1] rank2/core[0-1],gpu0"
    assert rset.nodelist.encode() == "a[1-2],b"
    assert rset.properties == {"x": ids("0-2")}


def test_an_r_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "R"
    path.write_text(json.dumps(own(0).to_json()))
    rset = parse_options([], {"resource": {"path": str(path)}}).configured
    assert rset == own(0)
    path.write_text("{}")
    assert refused(load_r, str(path))[0] == errno.EPROTO
    missing = f"{tmp_path}/none"
    assert refused(load_r, missing) == (errno.ENOENT, f"{missing}: No such file or directory")


def test_options() -> None:
    options = parse_options(
        ["monitor-force-up", "noverify", "notruncate"],
        {"resource": {"exclude": "0", "journal-max": 5, "history": "1h"}},
    )
    assert (options.force_up, options.noverify, options.truncate) == (True, True, False)
    assert (options.exclude, options.journal_max, options.history) == ("0", 5, 3600.0)


_CONFIG = "error parsing [resource] configuration"
_ARRAY = "error parsing [resource.config] array"


@pytest.mark.parametrize(
    ("args", "table", "text"),
    [
        (["foo"], {}, "unknown option: foo"),
        ([], {"foo": 1}, f"{_CONFIG}: unknown key foo"),
        ([], {"exclude": 1}, f"{_CONFIG}: exclude must be a str"),
        ([], {"history": "soon"}, "invalid history time"),
        ([], {"config": {}}, f"{_ARRAY}: resource config must be an array"),
        ([], {"config": [{"hosts": ""}]}, f"{_ARRAY}: config[0]: empty hostlist specified"),
        ([], {"config": [{"hosts": "a[1"}]}, f"{_ARRAY}: config[0]: invalid hostlist 'a[1'"),
        (
            [],
            {"config": [{"hosts": "a", "cores": "x"}]},
            f"{_ARRAY}: config[0]: error parsing range 'x'",
        ),
        (
            [],
            {"config": [{"hosts": "a", "properties": "x"}]},
            f"{_ARRAY}: config[0]: properties must be an array",
        ),
        (
            [],
            {"config": [{"cores": "0"}]},
            f"{_ARRAY}: config[0]: an entry has hosts, and may have cores, gpus and properties",
        ),
    ],
)
def test_bad_options(args: list[str], table: dict[str, Any], text: str) -> None:
    assert refused(parse_options, args, {"resource": table}) == (errno.EINVAL, text)
