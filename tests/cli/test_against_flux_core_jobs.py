"""Our commands about jobs beside flux-core's: the same output, errors and code."""

import json
import re
import shlex

import pytest

from support.beside_flux_core import JOBID, compare
from support.flux_core_instance import FluxCoreInstance, Outcome

pytestmark = [pytest.mark.interop, pytest.mark.slow]

_RUNTIME = re.compile(r" +[\d.]+[smh] vm")


@pytest.fixture(scope="module")
def jobs(
    flux_core_instance: FluxCoreInstance, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Ids of jobs that ended in every way, the oldest first."""
    out = tmp_path_factory.mktemp("jobs") / "out.txt"
    lines = [
        "submit -n2 -N2 hostname",
        "submit sh -c 'echo out; echo err >&2; exit 3'",
        "submit sh -c 'kill -9 $$'",
        "submit -n99 true",
        "submit nosuchcmd",
        f"submit --output={out} echo redirected",
        "submit -t 0.2s sleep 5",
        "submit -n2 seq 1 30",
        "submit printf 'a\\200b'",
    ]
    ids = [flux_core_instance.ours(*shlex.split(line)).stdout.strip() for line in lines]
    assert all(JOBID.fullmatch(jobid) for jobid in ids)
    for jobid in ids:
        assert flux_core_instance.ours("job", "wait-event", "-q", jobid, "clean").status == 0
    return ids


@pytest.mark.parametrize(
    "options", ["", "-l", "-EX", "-v", "-q", "-w start", "-w nosuch", "--tail=3", "-r", "-i 0"]
)
def test_attach(flux_core_instance: FluxCoreInstance, jobs: list[str], options: str) -> None:
    for jobid in jobs:
        compare(flux_core_instance, f"job attach {options} {jobid}")


@pytest.mark.parametrize(
    "line",
    [
        "eventlog",
        "eventlog -H",
        "eventlog -Toffset",
        "eventlog -Tiso -L",
        "eventlog -Tzz",
        "eventlog -p exec",
        "eventlog -p nosuch",
        "eventlog -F",
        "wait-event -v {} start",
        "wait-event {} nosuch",
        "wait-event -Toffset {} clean",
        "wait-event -m ranks=all {} release",
        "wait-event -p exec {} done",
        "wait-event 123 x",
        "info {} R",
        "info {} eventlog",
        "info -o {} jobspec",
        "info {} nosuch",
        "info 123 R",
        "last",
        "last 3",
        "last [1:2]",
        "last [x",
        "id -t words {}",
        "id zzz!",
        "raise {}",
        "raise 123",
        "kill {}",
        "kill -s ZZ {}",
        "urgency {} 3",
        "attach 123",
        "attach zz!",
    ],
)
def test_job(flux_core_instance: FluxCoreInstance, jobs: list[str], line: str) -> None:
    where = "{}" in line or not line.startswith("eventlog")
    compare(flux_core_instance, "job " + (line if where else f"{line} {{}}").replace("{}", jobs[0]))


@pytest.mark.parametrize(
    "line",
    [
        "jobs -a",
        "jobs -an -c2",
        "jobs -a -c 2",
        "jobs -f failed,timeout",
        "jobs -f zz",
        "jobs -u zz",
        "jobs -a -o long",
        "jobs -a -o endreason",
        "jobs -a -o cute",
        "jobs -o zz",
        "jobs -a --sort=-name,id",
        "jobs -a -w 40",
        "jobs -a --color",
        "jobs --stats",
        "jobs --stats-only",
        "jobs 1234567",
        "jobs -a -o '{id.dec} {id.kvs} {name:<3.3+} {ntasks:>4} {nnodes:>4h} {state} {result}'",
        "jobs -a -o '{t_submit!d:%H:%M::>8} {t_run!D} {runtime!F:>8h} {runtime!H} {returncode}'",
        "jobs -a -o '?:{queue} +:{username:<1} {annotations} {sched.resource_summary}'",
        "jobs -a -o '{status:zz}'",
        "jobs -a -o '{id!x}'",
        "jobs -a -o '{id'",
        "jobs -a -o '{foo}'",
        "jobs --json",
        "jobs --json --stats",
        "jobs --since=+1h",
    ],
)
def test_jobs(flux_core_instance: FluxCoreInstance, jobs: list[str], line: str) -> None:
    compare(flux_core_instance, line, _RUNTIME)


def test_jobs_as_json(flux_core_instance: FluxCoreInstance, jobs: list[str]) -> None:
    core, ours = (
        json.loads(run("jobs", "-a", "--json").stdout)["jobs"]
        for run in (flux_core_instance.core, flux_core_instance.ours)
    )
    assert ours == core
    assert [list(job) for job in ours] == [list(job) for job in core]


def test_a_job_is_cancelled(flux_core_instance: FluxCoreInstance) -> None:
    jobid = flux_core_instance.ours("submit", "sleep", "inf").stdout.strip()
    assert flux_core_instance.ours("job", "cancel", jobid, "not", "needed") == Outcome(0, "", "")
    attached = flux_core_instance.ours("job", "attach", jobid)
    assert attached.status in (1, 143)
    assert f"job.exception {jobid} type=cancel severity=0 not needed\n" in attached.stderr
    again = flux_core_instance.ours("job", "cancel", jobid)
    assert again == Outcome(1, "", f"flux-job: cancel {jobid}: job is inactive\n")
