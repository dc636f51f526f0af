import json
import math
import os
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.errors import CommandError
from fluxcore.cli.options import Parsed, parse
from fluxcore.cli.submit.copies import fill_in, fill_in_text
from fluxcore.cli.submit.environment import Environment
from fluxcore.cli.submit.jobspec_options import (
    JOBSPEC_OPTIONS,
    dump_jobspec,
    env_rules,
    input_ranks,
    make_jobspec,
    parse_signal_option,
    parse_time_limit,
    request_payload,
)
from fluxcore.cli.submit.rlimits import current_rlimits, job_rlimits
from fluxcore.cli.submit.submit import SUBMIT, make_jobs
from fluxcore.job.sign import unwrap

OWN = {"PATH": "/bin", "HOME": "/home/u", "SLURM_A": "1", "SLURM_B": "2"}


def no_files(path: str) -> list[str]:
    raise FileNotFoundError(2, "No such file or directory", path)


def environment(*rules: str, lines=no_files) -> Environment:
    made = Environment(OWN, lines)
    made.apply(rules)
    return made


def submit_args(*args: str) -> Parsed:
    return parse(SUBMIT.options, args, ordered=True, like_argparse=True)


# -- environment ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], OWN),
        (["-*"], {}),
        (["-SLURM_*"], {"PATH": "/bin", "HOME": "/home/u"}),
        (["-/^S.*_[AB]/"], {"PATH": "/bin", "HOME": "/home/u"}),
        (["-*", "SLURM_*"], {"SLURM_A": "1", "SLURM_B": "2"}),
        (["-*", "A=x", "B=$A-$HOME"], {"A": "x", "B": "x-/home/u"}),
        (["-*", "PATH=/opt", "PATH=$PATH:${HOME}"], {"PATH": "/opt:/home/u"}),
        (["-*", "A=$$"], {"A": "$"}),
        (["-*", "A=b=c"], {"A": "b=c"}),
        (["SLURM_A=9", "SLURM_*"], {**OWN, "SLURM_A": "9"}),
    ],
)
def test_rules_remove_take_and_set_variables(rules, expected):
    assert environment(*rules).variables == expected


def test_templates_are_left_for_the_shell():
    made = environment("-*", "RANK={{taskid}}")
    assert (made.variables, made.expand) == ({}, {"RANK": "{{taskid}}"})


def test_rules_may_be_in_a_file():
    files = {"rules": ["-*\n", "  A=1 \n", "^more\n"], "more": ["B=$A"]}
    assert environment("^rules", lines=files.__getitem__).variables == {"A": "1", "B": "1"}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("A=$NOPE", "--env: Variable 'NOPE' not found in A=$NOPE"),
        ("A=$", "--env: Unable to substitute A=$"),
        ("^nosuch", "--env: [Errno 2] No such file or directory: 'nosuch'"),
        ("-/[/", "invalid pattern '/[/'"),
    ],
)
def test_rules_that_cannot_be_followed_are_named(rule, text):
    with pytest.raises(ValueError) as caught:
        environment(rule)
    assert str(caught.value).startswith(text)


def test_rules_keep_the_order_in_which_they_were_given():
    parsed = submit_args("--env=A=1", "--env-remove=B", "--env-file=f", "--env=C", "true")
    assert env_rules(parsed) == ["A=1", "-B", "^f", "C"]


# -- limits ---------------------------------------------------------------------------------


def test_limits_that_matter_only_here_are_not_sent():
    limits = job_rlimits([])
    assert limits["nofile"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert not {"memlock", "nice", "rtprio"} & limits.keys()
    assert job_rlimits(["memlock"])["memlock"] == current_rlimits("memlock")["memlock"]


def test_limits_are_removed_and_set_in_order():
    assert job_rlimits(["-*"]) == {}
    assert job_rlimits(["-*,core=16", "nofile=unlimited"]) == {"core": 16, "nofile": -1}
    assert job_rlimits(["core=16", "-c*"]).get("core") is None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("foo", 'No corresponding rlimit matching "foo"'),
        ("foo=1", 'Invalid rlimit "foo"'),
        ("core=x", "Invalid value in core=x"),
    ],
)
def test_limits_that_are_none_are_named(rule, text):
    with pytest.raises(ValueError, match=text):
        job_rlimits([rule])


# -- single options -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("5", 300.0), ("0.5", 30.0), ("30s", 30.0), ("1.5h", 5400.0)],
)
def test_a_time_limit_is_in_minutes_or_has_a_unit(text, seconds):
    assert parse_time_limit(text) == seconds


def test_no_limit_is_infinite():
    assert parse_time_limit("inf") == math.inf
    with pytest.raises(ValueError, match="invalid Flux standard duration"):
        parse_time_limit("zz")


@pytest.mark.parametrize(
    ("text", "signum", "left"),
    [("USR1", 10, 60), ("@30s", 10, 30.0), ("SIGTERM@2m", 15, 120.0), ("9", 9, 60), ("", 10, 60)],
)
def test_a_signal_is_sent_some_time_before_the_end(text, signum, left):
    assert parse_signal_option(text) == {"signum": signum, "timeleft": left}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zz", "--signal=zz: signal 'zz' is invalid"),
        ("TERM@x", "--signal=TERM@x: invalid Flux standard duration"),
    ],
)
def test_a_signal_that_is_none_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_signal_option(text)


def test_input_is_a_file_or_names_tasks():
    assert input_ranks(submit_args("true")) is None
    assert input_ranks(submit_args("--input=data.txt", "true")) is None
    assert str(input_ranks(submit_args("--input=0-3", "true"))) == "0-3"


# -- the jobspec ----------------------------------------------------------------------------


def spec_of(*args: str, **environ: str):
    return make_jobspec(submit_args("--rlimit=-*", "--cwd=/tmp", *args), environ)


def test_the_jobspec_of_the_tutorial():
    spec = spec_of("echo", "hello", "potato", "🥔️🍠️")
    assert dump_jobspec(spec) == (
        '{"resources": [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}],'
        ' "label": "task"}], "tasks": [{"command": ["echo", "hello", "potato", "🥔️🍠️"],'
        ' "slot": "task", "count": {"per_slot": 1}}], "attributes": {"system": {"duration": 0,'
        ' "environment": {}, "cwd": "/tmp"}}, "version": 1}'
    )


def test_options_go_into_the_jobspec():
    spec = spec_of(
        *("-n4", "-c2", "-t", "1m", "-q", "batch", "-o", "foo", "-o", "a.b=[1]", "--job-name=nm"),
        *("--setattr=x=1", "--setattr=.user.y=z", "--signal=@1s", "--taskmap=cyclic:2", "true"),
        A="1",
    )
    system = spec["attributes"]["system"]
    assert spec["resources"][0]["count"] == 4
    assert system["duration"] == 60.0
    assert system["environment"] == {"A": "1"}
    assert (system["queue"], system["job"], system["x"]) == ("batch", {"name": "nm"}, 1)
    assert spec["attributes"]["user"] == {"y": "z"}
    assert system["shell"]["options"] == {
        "signal": {"signum": 10, "timeleft": 1.0},
        "taskmap": {"scheme": "cyclic", "value": "2"},
        "foo": 1,
        "a": {"b": [1]},
    }


def test_values_may_come_from_files(tmp_path):
    file = tmp_path / "v.json"
    file.write_text('{"a": 1}')
    spec = spec_of(f"--setattr=^x={file}", f"-o^y={file}", "true")
    assert spec["attributes"]["system"]["x"] == {"a": 1}
    assert spec["attributes"]["system"]["shell"]["options"]["y"] == {"a": 1}
    file.write_text("{")
    with pytest.raises(CommandError, match=f"--setattr: {file}: "):
        spec_of(f"--setattr=^x={file}", "true")
    with pytest.raises(CommandError, match=r"--setattr: \^x names no file"):
        spec_of("--setattr=^x", "true")


def test_variables_that_are_no_text_are_left_out():
    spec = spec_of("true", A="1", B=os.fsdecode(b"\xff"))
    assert spec["attributes"]["system"]["environment"] == {"A": "1"}


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "job command and arguments are missing"),
        (["-n", "x", "true"], "--ntasks: invalid int value 'x'"),
        (["-t", "zz", "true"], "invalid Flux standard duration"),
        (["-x", "true"], "exclusive can only be set with a node count"),
        (["-n2", "--cores=2", "true"], "Per-resource options can't be used with per-task options"),
    ],
)
def test_options_that_do_not_go_together_are_refused(args, text):
    with pytest.raises(CommandError) as caught:
        spec_of(*args)
    assert caught.value.text.startswith(text)


def test_the_request_has_the_signed_jobspec_urgency_and_flags():
    parsed = submit_args("--urgency=hold", "--flags=debug,waitable", "true")
    payload = request_payload(parsed, {"version": 1})
    assert unwrap(payload["J"]) == (b'{"version": 1}', os.getuid())
    assert (payload["urgency"], payload["flags"]) == (0, 6)
    with pytest.raises(CommandError, match="--flags: Unknown flag zz"):
        request_payload(submit_args("--flags=zz", "true"), {})


# -- copies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("f.{cc}", "f.7"),
        ("{cc:03d}-{cc}", "007-7"),
        ("{{id}} {} {x} ${HOME}", "{{id}} {} {x} ${HOME}"),
    ],
)
def test_the_number_of_a_copy_is_filled_in_and_other_braces_stay(text, filled):
    assert fill_in_text(text, 7) == filled


def test_a_copy_differs_in_arguments_and_options():
    copy = fill_in(submit_args("--output=f.{cc}", "echo", "{cc}"), 3)
    assert (copy.text("output"), copy.args) == ("f.3", ["echo", "3"])
    with pytest.raises(CommandError, match="Invalid replacement string"):
        fill_in_text("{cc:zz}", 1)


def test_each_copy_is_labelled_and_knows_its_number():
    jobs = list(make_jobs(submit_args("--cc=2-3", "true")))
    assert [label for label, _ in jobs] == ["cc=2: ", "cc=3: "]
    numbers = [spec["attributes"]["system"]["environment"]["FLUX_JOB_CC"] for _, spec in jobs]
    assert numbers == ["2", "3"]
    ((label, spec),) = make_jobs(submit_args("--bcc=2", "true"))
    assert label == "cc=2: "
    assert "FLUX_JOB_CC" not in spec["attributes"]["system"]["environment"]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--cc=1", "--bcc=2", "true"], "specify only one of --cc or --bcc"),
        (["--cc=x", "true"], "error parsing range 'x'"),
        (["--input=0-1", "true"], "per-task input not supported for submit"),
    ],
)
def test_copies_that_cannot_be_made_are_refused(args, text):
    with pytest.raises(CommandError, match=text):
        list(make_jobs(submit_args(*args)))


@given(st.lists(st.text(max_size=5), max_size=5))
def test_the_command_line_of_a_job_is_kept_whatever_it_is(words):
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        return
    parsed = parse(JOBSPEC_OPTIONS, ["--env=-*", "--", "x", *words], ordered=True)
    spec = json.loads(dump_jobspec(make_jobspec(parsed, {})))
    assert spec["tasks"][0]["command"] == ["x", *words]
