"""Our commands about keys beside flux-core's: the same output, errors and code."""

import pytest

from support.beside_flux_core import compare
from support.flux_core_instance import FluxCoreInstance, Outcome

pytestmark = [pytest.mark.interop, pytest.mark.slow]


@pytest.fixture(scope="module")
def keys(flux_core_instance: FluxCoreInstance) -> FluxCoreInstance:
    """Some keys of every kind below ``t``, and links in the root."""
    values = ["t.e=", "t.x=1", "t.long=" + "0123456789" * 12, "t.multi=a\nb", "t.d.y=2", "t.ü=é"]
    for args in (
        ["put", *values],
        ["mkdir", "t.empty"],
        ["link", "t.d", "to-dir"],
        ["link", "t.x", "to-value"],
        ["link", "nosuch", "to-nothing"],
        ["link", "-T", "other", "x", "to-other"],
    ):
        done = flux_core_instance.ours("kvs", *args)
        assert done == Outcome(0, "", "")
    return flux_core_instance


@pytest.mark.parametrize(
    "line",
    [
        "ls t",
        "ls -F",
        "ls -1 t",
        "ls -RF -w 30 t",
        "ls -w 0 t",
        "ls t.d t.x",
        "ls t.x.",
        "ls to-dir to-value to-nothing",
        "ls -F to-dir",
        "ls -dF t to-dir",
        "ls nosuch t",
        "ls -N nosuch",
        "ls to-other",
        "dir t",
        "dir -R t",
        "dir -Rd t",
        "dir -w 20 t",
        "dir -w 0 t",
        "dir t.x",
        "dir a b",
        "get t.x",
        "get t.e",
        "get -l t.x t.multi",
        "get -r t.x",
        "get -t t",
        "get t",
        "get nosuch",
        "get t.x nosuch t.e",
        "get to-nothing",
        "get to-other",
        "get -a nonsense t.x",
        "get -W t.x",
        "get -S resource.eventlog",
        "get -w -c1 t.x",
        "get -w nosuch",
        "get -wS t.x",
        "get -wA -c1 t",
        "readlink to-dir",
        "readlink to-other",
        "readlink -o to-other",
        "readlink -k to-other",
        "readlink t.x",
        "put noequals",
        "put -t a=x",
        "put -N nosuch a=1",
        "put -A t=1",
        "unlink nosuch",
        "unlink t",
        "copy nosuch x",
        "version",
        "getroot",
        "getroot -s",
        "getroot -b",
        "getroot -o",
        "getroot -N nosuch",
        "wait 1",
        "mkdir .",
    ],
)
def test_keys(keys: FluxCoreInstance, line: str) -> None:
    compare(keys, f"kvs {line}")


def test_both_leave_the_same_directory_behind(flux_core_instance: FluxCoreInstance) -> None:
    """The same changes, made by each command below its own key."""
    changes = (
        "put {}.a=1 {}.b.c=two",
        "put -r {}.raw=-",
        "put -A {}.a=more",
        "put --no-merge {}.f=x",
        "mkdir {}.m {}.x.y.z",
        "link {}.b {}.l",
        "copy {}.b {}.copied",
        "move {}.f {}.moved",
        "unlink {}.a",
        "unlink -R {}.x",
        "unlink -f {}.nosuch",
    )
    for change in changes:
        for key, run in (("one", flux_core_instance.core), ("two", flux_core_instance.ours)):
            done = run("kvs", *change.replace("{}", key).split(), stdin="from stdin")
            assert done == Outcome(0, "", ""), change
    one, two = (flux_core_instance.core("kvs", "dir", "-R", key) for key in ("one", "two"))
    assert two.stdout == one.stdout.replace("one", "two")
