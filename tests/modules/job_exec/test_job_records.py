"""What shells tell and are told in the life of a job without IO: input, output, PMI values."""

import orjson
import pytest

from fluxcore.kvs.treeobj import val_bytes
from fluxcore.modules.job_exec.job import ExecJob
from fluxcore.shell.options import ShellOptions
from support.exec_job import World, finish, layout, make_job, running


def test_input_is_for_all_shells_and_limited() -> None:
    world = World()
    job = running(world, (0, 1), options=ShellOptions(input_limit=10))
    data = {"stream": "stdin", "rank": "all", "data": "x" * 10}
    job.reports(0, [("input", {"data": data, "size": 10})], 11.0)
    assert world.told == [([0, 1], "input", {"data": data})]
    job.reports(0, [("input", {"data": data, "size": 10})], 11.0)
    assert world.said("exception")[0]["note"].startswith("stdin exceeds 10 limit")


def test_output_for_a_file_goes_to_the_leader() -> None:
    world = World()
    job = make_job(world, (2, 3))
    job.ready(1.0)
    kind, what = layout(2)
    job.reports(2, [(kind, {**what, "files": {"stdout": "out"}}), ("started", {})], 1.0)
    context = {"stream": "stdout", "rank": "1", "data": "x"}
    other = {"stream": "stderr", "rank": "1", "data": "y"}
    job.reports(3, [("output", {"data": [context, other], "size": 2})], 2.0)
    assert world.told == [([2], "write", {"data": [context]})]
    assert job.records.take_credits() == {3: 2}


def early_job(world: World) -> ExecJob:
    """A job of two, the follower of which has finished before the leader says anything."""
    job = make_job(world, (0, 1))
    job.ready(1.0)
    data = {"stream": "stdout", "rank": "1", "data": "x"}
    job.reports(1, [("started", {}), ("output", {"data": [data], "size": 1})], 1.0)
    finish(job, 1)
    return job


def test_records_begin_with_the_leader() -> None:
    world = World()
    job = early_job(world)
    job.reports(0, [layout(2), ("started", {})], 2.0)
    assert world.told == [([0], "alone", {})]
    finish(job)
    tree = job.records.log.take_tree()
    lines = val_bytes(tree["data"]["output"]).splitlines()
    assert [orjson.loads(line)["name"] for line in lines] == ["header", "data"]
    assert world.finalized == 1


@pytest.mark.parametrize("why", [None, "no reason"])
def test_without_a_leader_the_others_are_heard_in_the_end(why: str | None) -> None:
    world = World()
    job = early_job(world)
    job.lost(0, why, 2.0)
    assert world.finalized == 1
    assert [kind for kind, _ in world.answers] == ["exception", "start", "finish"]


def test_a_follower_is_lost_that_had_said_something_early() -> None:
    world = World()
    job = make_job(world, (0, 1))
    job.ready(1.0)
    job.reports(1, [("started", {})], 1.0)
    job.lost(1, None, 2.0)
    job.reports(0, [layout(2), ("started", {})], 3.0)
    finish(job)
    assert world.finalized == 1


def test_pmi_values_are_exchanged_again_and_again() -> None:
    world = World()
    job = running(world, (0, 1))
    for turn in range(2):
        job.reports(0, [("pmi", {"values": {"a": str(turn)}})], 11.0)
        job.reports(1, [("pmi", {"values": {"b": str(turn)}})], 11.0)
        values = {"a": str(turn), "b": str(turn)}
        assert world.told[turn] == ([0, 1], "pmi", {"values": values})
