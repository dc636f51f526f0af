"""The commands in an instance of our own brokers, without what rc1 loads."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from support.instance import FLUX, Instance, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with start(2, "-Sbroker.rc1_path=", "-Sbroker.rc3_path=") as made:
        yield made


@pytest.mark.parametrize(
    ("args", "stdout"),
    [
        (["getattr", "rank"], "0\n"),
        (["getattr", "size"], "2\n"),
        (["overlay", "status", "--summary"], "full\n"),
        (["overlay", "parentof", "1"], "0\n"),
        (["module", "debug", "-s", "3", "overlay"], "0x3\n"),
        (["event", "pub", "-l", "a.b", "{}"], ""),
    ],
)
def test_what_is_asked_for_is_printed(instance: Instance, args: list[str], stdout: str) -> None:
    done = instance.flux(*args)
    assert (done.returncode, done.stdout, done.stderr) == (0, stdout, "")


@pytest.mark.parametrize(
    ("args", "stderr"),
    [
        (["getattr", "nosuch"], "flux-getattr: nosuch: No such file or directory\n"),
        (["setattr", "rank", "3"], "flux-setattr: rank: attribute may not be updated\n"),
        (["setattr", "foo", "1"], "flux-setattr: foo: unknown attribute\n"),
        (
            ["module", "load", "nosuch"],
            "flux-module: load nosuch: module not found in search path\n",
        ),
        (["module", "remove", "nosuch"], "flux-module: remove nosuch: No such file or directory\n"),
        (["ping", "-c1", "nosuch"], "flux-ping: nosuch.ping: Function not implemented\n"),
        (["ping", "-c1", "9"], "flux-ping: 9!broker.ping: No route to host\n"),
        (["overlay", "parentof", "9"], "flux-overlay: 9 is not a valid rank in this instance\n"),
        (["kvs", "get", "a"], "flux-kvs: a: Function not implemented\n"),
        (
            ["submit", "true"],
            "[Errno 38] No service matching job-ingest.submit is registered\n",
        ),
    ],
)
def test_what_cannot_be_done_is_told(instance: Instance, args: list[str], stderr: str) -> None:
    done = instance.flux(*args)
    assert (done.returncode, done.stderr) == (1, stderr)


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()}


def test_a_module_is_loaded_reloaded_and_removed(instance: Instance) -> None:
    assert instance.flux("module", "load", "heartbeat", "period=60s").returncode == 0
    again = instance.flux("module", "load", "heartbeat")
    assert again.stderr == "flux-module: load heartbeat: File exists\n"
    listed = instance.flux("module", "list").stdout
    assert listed.splitlines()[0] == "Module                   Idle  S Service"
    assert rows(listed)["heartbeat"] == ["0", "R"]
    stats = json.loads(instance.flux("module", "stats", "heartbeat").stdout)
    assert stats["period"] == 60.0
    assert instance.flux("module", "reload", "heartbeat", "period=30s").returncode == 0
    period = instance.flux("module", "stats", "-p", "period", "heartbeat").stdout
    assert period == "30.000000\n"
    assert instance.flux("module", "remove", "heartbeat").returncode == 0
    assert "heartbeat" not in rows(instance.flux("module", "list").stdout)


def test_other_ranks_answer(instance: Instance) -> None:
    done = instance.flux("ping", "-c1", "-u", "1!overlay")
    pattern = (
        r"flux-ping 1!overlay\n1!overlay\.ping pad=0 userid=\d+ rolemask=0x1 seq=0"
        r" time=[\d.]+ ms \(([0-9a-f]{8}!?){5}\)\n"
    )
    assert re.fullmatch(pattern, done.stdout)


def test_the_log_is_shown_and_cleared(instance: Instance) -> None:
    instance.flux("module", "remove", "-f", "nosuch")
    assert re.search(r"broker\.\w+\[0\]: ", instance.flux("dmesg").stdout)
    assert instance.flux("dmesg", "-C").returncode == 0
    assert "insmod" not in instance.flux("dmesg").stdout


def test_brokers_are_drawn_as_a_tree(instance: Instance) -> None:
    done = instance.flux("overlay", "status")
    assert re.fullmatch(r"0 (\S+): full\n└─ 1 \1: full\n", done.stdout)


def test_an_event_under_two_topics_is_printed_once(instance: Instance) -> None:
    command = [FLUX, "event", "sub", "-c", "3", "a", "ab"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=instance.environ, stdout=pipe, text=True) as listener:
        number = 0
        while listener.poll() is None:
            instance.flux("event", "pub", "abc", str(number))
            number += 1
        assert listener.stdout is not None
        printed = [int(line.split()[1]) for line in listener.stdout]
    assert printed == list(range(printed[0], printed[0] + 3))
