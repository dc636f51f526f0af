"""Our commands that submit beside flux-core's: the same output, errors and code."""

import re
from pathlib import Path

import pytest

from support.beside_flux_core import JOBID, compare
from support.flux_core_instance import FluxCoreInstance, Outcome

pytestmark = [pytest.mark.interop, pytest.mark.slow]

_SECONDS = re.compile(r"\b\d+\.\d{3}s: ")
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
    compare(flux_core_instance, line, _SECONDS, JOBID)


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
