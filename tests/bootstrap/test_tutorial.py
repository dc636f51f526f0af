"""The tutorial chapter "Flux Plumbing", cell by cell, in ``flux start -s 4``.

What comes later is left out: the Fluxion modules and cron.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.flux_core_instance import find_flux_core
from support.instance import FLUX, Instance, start

pytestmark = pytest.mark.slow

ECHO = ["echo", "hello", "potato", "🥔️🍠️"]
ROW = re.compile(r"(?P<name>\S+) +(?P<idle>\d{1,2}|idle)  (?P<state>[IRFX]) (?P<services>\S*)")


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with start(4) as made:
        yield made


def cell(instance: Instance, line: str, cwd: Path | None = None) -> str:
    """What a shell prints for a line of the chapter, whose ``flux`` is ours."""
    env = {**instance.environ, "PATH": f"{Path(FLUX).parent}:{instance.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", line], cwd=cwd, env=env, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def modules(instance: Instance) -> dict[str, tuple[str, str]]:
    """State and services by name, of rows that look as the chapter's do."""
    header, *lines = cell(instance, "flux module list").splitlines()
    assert header == "Module                   Idle  S Service"
    rows = [ROW.fullmatch(line) for line in lines]
    assert all(rows), lines
    return {row["name"]: (row["state"], row["services"]) for row in rows if row}


def test_the_subcommands_of_module(instance: Instance) -> None:
    """In [2]"""
    out = cell(instance, "flux module --help")
    assert out.startswith("Usage: flux-module COMMAND [OPTIONS]\n  -h, --help             Display")
    for line in (
        "   list            List loaded modules\n",
        "   remove          Unload module\n",
        "   load            Load module\n",
        "   reload          Reload module\n",
        "   stats           Display stats on module\n",
        "   debug           Get/set module debug flags\n",
    ):
        assert line in out


def test_the_modules(instance: Instance) -> None:
    """In [3]"""
    running = modules(instance)
    for name, services in (
        *((name, "") for name in ("job-exec", "heartbeat", "job-list", "resource", "job-ingest")),
        *((name, "") for name in ("content", "job-info", "kvs-watch", "kvs", "job-manager")),
        *(("barrier", ""), ("connector-local", ""), ("content-sqlite", "content-backing")),
    ):
        assert running[name] == ("R", services)
    assert running["sched-simple"] == ("R", "feasibility,sched")


def test_the_scheduler_is_removed_and_loaded(instance: Instance) -> None:
    """In [4] and [5], with the one scheduler there is"""
    cell(instance, "flux dmesg -C")
    cell(instance, "flux module remove sched-simple")
    assert "sched-simple" not in modules(instance)
    cell(instance, "flux module load sched-simple")
    assert modules(instance)["sched-simple"] == ("R", "feasibility,sched")
    cell(instance, "flux module reload sched-simple")
    assert modules(instance)["sched-simple"] == ("R", "feasibility,sched")


def test_the_keys_of_the_resource_service(instance: Instance) -> None:
    """flux kvs"""
    assert "resource" in cell(instance, "flux kvs ls").split()
    assert {"R", "eventlog"} <= set(cell(instance, "flux kvs ls resource").split())
    resources = json.loads(cell(instance, "flux kvs get resource.R"))
    assert resources["version"] == 1
    assert [entry["rank"] for entry in resources["execution"]["R_lite"]] == ["0-3"]


def test_a_jobspec_is_made_and_run(instance: Instance, tmp_path: Path) -> None:
    """In [16] and [17]"""
    line = "flux submit --dry-run echo hello potato 🥔️🍠️ > potato-job.txt"
    assert cell(instance, line, tmp_path) == ""
    text = (tmp_path / "potato-job.txt").read_text()
    assert "🥔️🍠️" in text, "as it was typed"
    jobspec = json.loads(text)
    assert jobspec["resources"] == [
        {"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}
    ]
    assert jobspec["tasks"] == [{"command": ECHO, "slot": "task", "count": {"per_slot": 1}}]
    assert cell(instance, "flux job submit ./potato-job.txt", tmp_path).startswith("ƒ")
    out = cell(instance, "flux job attach $(flux job last)", tmp_path)
    assert out == "hello potato 🥔️🍠️\n"


@pytest.mark.interop
def test_the_jobspec_is_flux_cores(instance: Instance) -> None:
    program = find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")
    ours, theirs = (
        json.loads(instance.flux("submit", "--dry-run", *ECHO, program=flux).stdout)
        for flux in (FLUX, program)
    )
    for spec in (ours, theirs):
        del spec["attributes"]["system"]["environment"]  # each adds what it needs
    assert ours == theirs
