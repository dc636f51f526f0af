"""flux-core's commands print the same in an instance of ours and in one of flux-core.

Each story is a list of command lines, run in their order in both instances. What differs from run
to run (times, ids, routes, paths) is rubbed out before comparing; nothing else is.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.flux_core_instance import find_flux_core, start_flux_core
from support.instance import start

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(180)]

_RUB_OUT = (
    (re.compile(r"ƒ[1-9A-HJ-NP-Za-km-z]+"), "JOBID"),
    (re.compile(r"time=[\d.]+ ms \([0-9a-f!]+\)"), "time=T (ROUTE)"),
    (re.compile(r"\b1\d{9}\.\d{6}\b"), "TIMESTAMP"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIMESTAMP"),
    (re.compile(r"^ \d\d:\d\d:\d\d run [\d.]+\w+,", re.MULTILINE), "UPTIME,"),
    (re.compile(r"\b\d+\.\d{3}s\b"), "SECONDS"),
    (re.compile(r"\[ *\+?\d+\.\d{6}\]"), "[SECONDS]"),
    (re.compile(r"/tmp/flux-\w+"), "RUNDIR"),
    (re.compile(r"\b\d{11,19}\b"), "NUMBER"),
)


@dataclass
class Engine:
    """An instance, and what the commands of one story have printed there."""

    program: str
    environ: dict[str, str]
    told: list[str] = field(default_factory=list)

    def run(self, line: str, stdin: str, cwd: Path) -> None:
        """Run a line of a shell, in which ``flux`` is flux-core's."""
        done = subprocess.run(
            ["sh", "-c", line],
            env=self.environ,
            input=stdin,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        text = f"$ {line}\n{done.stdout}--\n{done.stderr}rc={done.returncode}"
        for pattern, word in _RUB_OUT:
            text = pattern.sub(word, text)
        self.told.append(text)


@pytest.fixture(scope="module", params=[1, 4], ids=["one broker", "four brokers"])
def engines(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Engine]]:
    """Ours and flux-core's, of the same size."""
    program = find_flux_core()
    if program is None:
        pytest.skip("flux-core is not installed")
    path = f"{Path(program).parent}:/usr/bin:/bin"
    with (
        start(request.param, env={"PATH": path, "LC_ALL": "C.UTF-8"}) as ours,
        start_flux_core(program, request.param) as theirs,
    ):
        yield Engine(program, ours.environ), Engine(program, theirs.environ)


STORIES: dict[str, Sequence[str]] = {
    "attributes": [
        *(f"flux getattr {name}" for name in ("rank", "size", "hostlist", "instance-level")),
        *(f"flux getattr {name}" for name in ("broker.mapping", "tbon.maxlevel", "tbon.topo")),
        *(f"flux getattr {name}" for name in ("broker.quorum", "content.hash", "jobid", "nosuch")),
        "flux setattr test.a b && flux getattr test.a && flux setattr -f test.a c",
        "flux setattr rank 1",
        "flux setattr nosuch 1",
    ],
    "ping": [
        "flux ping -c 2 -i 0.01 kvs",
        "flux ping -c 1 -p 10 -u kvs",
        "flux ping -c 1 -b -i 0 0",
        "flux ping -r 0 -c 1 broker",
        "flux ping -r 3 -c 1 broker",
        "flux ping -c 1 upstream!broker",
        "flux ping -c 1 0!job-manager",
        "flux ping -c 1 nosuch",
        "flux ping -c 1 9",
    ],
    "modules": [
        "flux module load heartbeat",
        "flux module remove heartbeat",
        "flux module remove heartbeat",
        "flux module remove -f heartbeat",
        "flux module list | grep heartbeat",
        "flux module load heartbeat period=30s",
        "flux module stats -p period heartbeat",
        "flux module stats --type int --parse period --scale 10 heartbeat",
        "flux module reload heartbeat period=20s",
        "flux module stats -p period heartbeat",
        "flux module stats -p nosuch heartbeat",
        "flux module stats nosuch",
        "flux module reload -f heartbeat",
        "flux module load heartbeat bogus=1 2>&1 | grep ^flux-module",
        "flux module load heartbeat period=-1s 2>&1 | grep ^flux-module",
        "flux module load heartbeat; flux module debug --set 4 heartbeat",
        "flux module list | awk '{ print $1, $3, $6 }' | grep -vE '^(cron|rexec|barrier) ' | sort",
        "flux module load nosuch",
        "flux module load ./nosuch.so",
    ],
    "keys": [
        "flux kvs put a.b.c=1 a.b.d=text a.e='{\"x\":[1,2]}' a.f=true a.g=1.5",
        "flux kvs get a.b.c a.b.d a.e a.f a.g",
        "flux kvs get -l a.b.c",
        "flux kvs get -t a",
        "flux kvs get -t a.b.c",
        "flux kvs get a",
        "flux kvs get a.nosuch",
        "flux kvs ls a; flux kvs ls -1 a; flux kvs ls -F a; flux kvs ls -R a; flux kvs ls -d a",
        "flux kvs ls nosuch",
        "flux kvs dir a; flux kvs dir -R a; flux kvs dir -d a; flux kvs dir -w 12 -R a",
        "flux kvs dir a.b.c",
        "flux kvs put --raw raw=- <<EOF\nsome\nbytes\nEOF",
        "flux kvs get --raw raw; flux kvs get raw",
        "flux kvs put -O a.b.c=2 | wc -c; flux kvs put -s a.b.c=3 | grep -c '[0-9]'",
        'flux kvs put -t tree=\'{"data":"Zm9v","type":"val","ver":1}\'; flux kvs get tree',
        "flux kvs put -t tree='{\"nonsense\":1}'",
        "flux kvs put -n a.b.c=4; flux kvs get a.b.c",
        "flux kvs put -A raw=more; flux kvs get --raw raw",
        "flux kvs link a.b to; flux kvs readlink to; flux kvs ls -Fd to; flux kvs get to.c",
        "flux kvs mkdir new.folder; flux kvs ls -F new",
        "flux kvs copy a.b.c copied; flux kvs get copied; flux kvs move copied moved",
        "flux kvs get copied moved",
        "flux kvs unlink a",
        "flux kvs unlink -R a; flux kvs get a.b.c",
        "flux kvs unlink -f nosuch; flux kvs unlink nosuch",
        "flux kvs put a",
        "flux kvs namespace create other; flux kvs put -N other k=1; flux kvs get -N other k",
        "flux kvs namespace list | awk '{ print $1, $3 }' | sort; flux kvs ls -N other",
        "flux kvs namespace create other",
        "flux kvs namespace remove other; flux kvs get -N other k",
        "flux kvs eventlog append log one '{\"a\":1}'; flux kvs eventlog append -t 1 log two",
        "flux kvs eventlog get log; flux kvs eventlog wait-event -q log two",
        "flux kvs eventlog wait-event -t 0.1 log three",
        "flux kvs get --watch --count=1 raw; flux kvs get -w -u -c 1 raw",
        "(sleep 0.3; flux kvs put late=1) & flux kvs get --waitcreate late",
        "flux kvs unlink -R new tree raw to moved log late; flux kvs get raw",
    ],
    "events": [
        "flux event pub a.b",
        "flux event pub -s a.b | wc -w",
        "flux event pub -l a.b '{}'",
        "flux event pub a.b notjson",
        "flux event pub -r a.b notjson",
        "(sleep 0.3; flux event pub test.x '{\"n\":1}') & flux event sub -c 1 test; wait",
        "(sleep 0.3; flux event pub test.x) & flux event sub -c 1 test.x; wait",
        "(sleep 0.3; flux event pub -r test.y raw) & flux event sub --raw -c 1 test; wait",
    ],
    "log": [
        "flux dmesg -C; flux dmesg",
        "flux logger --severity=info --appname=me some words; flux dmesg",
        "flux logger --severity=err --appname=me bad; flux dmesg -H -L never",
        "flux dmesg -H -d -L always | tail -1",
        "flux dmesg -c; flux dmesg",
        "(sleep 0.3; flux logger --appname=me later) & timeout 1 flux dmesg -f -n; wait",
        "flux logger --severity=nosuch x",
    ],
    "jobs": [
        "flux submit echo hi",
        "flux job attach $(flux job last)",
        "flux job eventlog $(flux job last) | cut -d' ' -f2-",
        "flux job eventlog -p exec $(flux job last) | cut -d' ' -f2 | grep -v ^shell",
        "flux job eventlog -H -L never $(flux job last) | cut -d] -f2",
        "flux job eventlog --format=json $(flux job last) | jq -c 'del(.timestamp)'",
        "flux run -n1 -l echo hi",
        "flux run sh -c 'echo out; echo err >&2; exit 3'; flux run sh -c 'echo err >&2'",
        "flux run sh -c 'kill -TERM $$'",
        "flux run nosuchcommand 2>/dev/null",
        "flux run --dry-run -n1 -c1 --env=-* -t 1m true | jq -S -c 'del(.attributes.system.cwd)'",
        "flux run -N1 -n1 --job-name=named true; flux jobs -a -c1 -n -o '{name} {status}'",
        "flux submit -n 1000 true; flux job attach $(flux job last)",
        "flux submit -N 50 true; flux job wait-event $(flux job last) clean | cut -d' ' -f2-",
        "flux submit --wait-event=start sleep 60; flux jobs -no '{name} {status} {nnodes} {ranks}'",
        "flux cancel $(flux job last); flux job attach $(flux job last)",
        "flux jobs -no '{name}'; flux jobs -a -o '{id} {name:<10} {status_abbrev} {returncode}'",
        "flux jobs -f failed -n -o '{name} {result} {exception.type} {exception.note}'",
        "flux jobs --format=long -c 2 -a | cut -c1-20",
        "flux jobs $(flux job last) -n -o '{name} {success} {duration} {urgency} {priority}'",
        "flux jobs --stats-only",
        "flux jobs 12345",
        "flux jobs --filter=nosuch",
        "flux run --dry-run true > spec.json; flux job submit spec.json",
        "flux job submit < spec.json",
        "flux job submit --urgency=0 spec.json; flux jobs -no '{status} {contextual_info}'",
        "flux job urgency $(flux job last) default; flux job attach $(flux job last)",
        "flux job submit --flags=nosuch spec.json",
        "flux job submit nosuch.json",
        "echo nonsense | flux job submit",
        "flux job info $(flux job last) jobspec | jq -S -c .resources,.tasks",
        "flux job info $(flux job last) R | jq -c .execution.R_lite[0].rank",
        "flux job info $(flux job last) nosuch",
        "flux job attach 12345",
        "flux job eventlog 12345",
        "flux job status $(flux job last); flux job wait-event -q $(flux job last) finish",
        "echo some input | flux run cat",
        "echo in > in; flux run --input=in sh -c 'sleep 0.2; cat' </dev/null",
        "yes | head -c 300000 | flux run head -n 1",
        "flux submit --cc=1-3 --wait -q echo {cc}; flux jobs -a -c 3 -n -o '{name} {status}'",
        "flux bulksubmit --watch echo {} ::: a b | sort",
        "flux job last 0 | wc -w; flux job last nosuch",
        "flux job raise 12345 2>&1; flux job kill 12345",
        "flux job stats | jq -c '.job_states.run,.failed'",
    ],
    "instance": [
        "flux uptime",
        "flux overlay status --no-pretty",
        "flux overlay status -r 0 --summary",
        "flux overlay status -r 9",
        "flux overlay parentof 0",
        "flux resource list -no '{state} {nnodes}'",
        "flux resource drain -n; flux resource status -no '{state} {ranks}'",
        "flux queue status; flux queue list -no '{queue}'",
        "flux version | grep -c .",
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story(engines: tuple[Engine, Engine], story: str, tmp_path: Path) -> None:
    for number, engine in enumerate(engines):
        engine.told.clear()
        folder = tmp_path / str(number) / "folder"
        folder.mkdir(parents=True)
        for line in STORIES[story]:
            engine.run(line, "", folder)
    ours, theirs = engines
    assert ours.told == theirs.told


def test_all_lines_are_a_shells() -> None:
    for lines in STORIES.values():
        for line in lines:
            shlex.split(line.split("\n")[0])
