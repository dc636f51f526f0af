"""Our commands beside flux-core's, in an instance of flux-core: the same output, errors and code.

Each row is a command line. What differs for a good reason (help, words about options) is tested
elsewhere; what differs from run to run (times, ids, routes) is rubbed out before comparing.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

from support.flux_core_instance import FluxCoreInstance, Outcome

pytestmark = [pytest.mark.interop, pytest.mark.slow]

_ROUTE = re.compile(r"time=[\d.]+ ms \([0-9a-f!]+\)")
_CLOCK = re.compile(r"^ \d\d:\d\d:\d\d run [\d.]+\w+,")
_SEQUENCE = re.compile(r"seq=\d+$")
_SECONDS = re.compile(r"\b\d+\.\d{3}s: ")
_RUNTIME = re.compile(r" +[\d.]+[smh] vm")
_JOBID = re.compile(r"ƒ[1-9A-HJ-NP-Za-km-z]+")


def rub_out(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub("#", text)
    return text


def compare(
    instance: FluxCoreInstance, line: str, *patterns: re.Pattern[str], stdin: str = ""
) -> Outcome:
    """Run ``line`` with both commands; what ours did, if it did the same."""
    args = shlex.split(line)
    core, ours = instance.core(*args, stdin=stdin), instance.ours(*args, stdin=stdin)
    assert rub_out(ours.stdout, *patterns) == rub_out(core.stdout, *patterns)
    assert rub_out(ours.stderr, *patterns) == rub_out(core.stderr, *patterns)
    assert ours.status == core.status
    return ours


# -- the broker -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "getattr rank",
        "getattr nosuch",
        "setattr rank 3",
        "setattr foo 1",
        "setattr -f rank 0",
        "lsattr",
        "lsattr -v",
        "lsattr -x",
        "module list -l",
        "module load nosuch",
        "module load ./nosuch",
        "module load kvs",
        "module remove nosuch",
        "module remove -f nosuch",
        "module reload heartbeat period=2s",
        "module stats heartbeat",
        "module stats -p period -t int heartbeat",
        "module stats -p nosuch heartbeat",
        "module stats nosuch",
        "module stats -Rfoo kvs",
        "module stats -c kvs",
        "module debug -s 0x11 heartbeat",
        "module debug -c 1 heartbeat",
        "module debug -C heartbeat",
        "module debug nosuch",
        "overlay status",
        "overlay status --summary",
        "overlay status --no-pretty -H 1",
        "overlay status -L -r 1",
        "overlay status -r 99",
        "overlay status -w full",
        "overlay status -w foo",
        "overlay status -w lost -t 0.1s",
        "overlay lookup 0-1",
        "overlay lookup x",
        "overlay parentof 1",
        "overlay parentof 0",
        "nosuch",
    ],
)
def test_the_broker(flux_core_instance: FluxCoreInstance, line: str) -> None:
    compare(flux_core_instance, line)


@pytest.mark.parametrize(
    "line",
    [
        "ping -c1 0",
        "ping -c2 -i 0.01 kvs",
        "ping -c1 -r 1 -u -p 4 kvs",
        "ping -c3 -b -i 0 broker",
        "ping -c1 nosuch",
        "ping -c1 99",
        "ping -c1 upstream!kvs",
        "ping -c1 foo!kvs",
        "uptime",
        'event pub -s a.b {"x":1}',
        "event pub -l a.b",
    ],
)
def test_what_takes_time(flux_core_instance: FluxCoreInstance, line: str) -> None:
    compare(flux_core_instance, line, _ROUTE, _CLOCK, _SEQUENCE)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("line", ["dmesg", "dmesg -H", "dmesg -Hd -Lalways", "dmesg -d"])
def test_the_log(flux_core_instance: FluxCoreInstance, line: str, zone: str) -> None:
    args, env = line.split(), {"TZ": zone}
    assert flux_core_instance.ours(*args, env=env) == flux_core_instance.core(*args, env=env)


# -- the KVS --------------------------------------------------------------------------------


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


# -- jobs -----------------------------------------------------------------------------------


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
    assert all(_JOBID.fullmatch(jobid) for jobid in ids)
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


_SUBMIT = "submit --dry-run --env=-* {} echo hello 'potato 🥔️🍠️'"


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-n4 -N2 -c2",
        "-n5 -N2",
        "-N2",
        "-N2 -x -n2 -g1",
        "-t 5",
        "-t 1.5h",
        "-t inf",
        "-t zz",
        "-o foo -o a.b=1 -o 'd={\"x\":1}'",
        "-q batch -B bank --job-name=nm",
        "--output=o.txt --error=e.txt -l",
        "--input=/dev/null -u",
        "--cwd=/tmp",
        "--env=A=1 --env=B=$A",
        "--env=X={{id}}",
        "--env=X=$NOPE",
        "--env=^nosuch",
        "--rlimit=-*,core",
        "--rlimit=core=16,nofile=unlimited",
        "--rlimit=foo",
        "--setattr=.x.y=2 --setattr=user.z=q --setattr=w=1",
        "--signal=SIGTERM@2m",
        "--signal=zz",
        "--taskmap=manual:[[0,1,1,1]]",
        "--cores=4 -N2",
        "--tasks-per-node=2 -N2",
        "--tasks-per-core=2 --cores=2",
        "--gpus-per-node=1",
        "-n2 --cores=2",
        "-n x",
        "-N 0",
        "-N4 -n2",
        "-Z",
        "--nod 1",
        "--cc=1-2",
    ],
)
def test_dry_runs(flux_core_instance: FluxCoreInstance, options: str) -> None:
    compare(flux_core_instance, _SUBMIT.replace("{}", options))


@pytest.mark.parametrize(
    "line",
    [
        "submit",
        "submit -n",
        "submit true",
        "submit --cc=1-2 -q nosuch true",
        "submit --urgency=99 true",
        "submit --flags=zz true",
        "submit --wait false",
        "submit --wait -n99 true",
        "submit --watch -n2 echo hi",
        "submit --watch -l sh -c 'echo a >&2; exit 7'",
        "submit --watch nosuchcmd",
        "submit --wait-event=exec.shell.init true",
        "submit -v --wait true",
        "run",
        "run -q nosuch true",
        "run -n2 -N2 echo x",
        "run -l cat",
        "run sh -c 'exit 3'",
        "run nosuchcmd",
        "run --env=A=1 printenv A",
        "run --wait-event=start true",
        "job submit",
    ],
)
def test_submissions(flux_core_instance: FluxCoreInstance, line: str) -> None:
    compare(flux_core_instance, line, _SECONDS, _JOBID)


def test_a_jobspec_of_one_is_run_by_the_other(
    flux_core_instance: FluxCoreInstance, tmp_path: Path
) -> None:
    spec = tmp_path / "potato-job.txt"
    words = ("hello", "potato", "🥔️🍠️")
    spec.write_text(flux_core_instance.ours("submit", "--dry-run", "echo", *words).stdout)
    for submit, attach in (
        (flux_core_instance.core, flux_core_instance.ours),
        (flux_core_instance.ours, flux_core_instance.core),
    ):
        jobid = submit("job", "submit", str(spec)).stdout.strip()
        assert flux_core_instance.ours("job", "last").stdout.strip() == jobid
        assert attach("job", "attach", jobid) == Outcome(0, "hello potato 🥔️🍠️\n", "")


def test_a_job_is_cancelled(flux_core_instance: FluxCoreInstance) -> None:
    jobid = flux_core_instance.ours("submit", "sleep", "inf").stdout.strip()
    assert flux_core_instance.ours("job", "cancel", jobid, "not", "needed") == Outcome(0, "", "")
    attached = flux_core_instance.ours("job", "attach", jobid)
    assert attached.status in (1, 143)
    assert f"job.exception {jobid} type=cancel severity=0 not needed\n" in attached.stderr
    again = flux_core_instance.ours("job", "cancel", jobid)
    assert again == Outcome(1, "", f"flux-job: cancel {jobid}: job is inactive\n")
