"""Resource limits of tasks."""

import resource

import pytest

from fluxcore.shell import limits
from fluxcore.shell.errors import WARN, Complaint, ShellError
from fluxcore.shell.limits import differing, limited


def test_limits_as_they_are_change_nothing() -> None:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    core, _hard = resource.getrlimit(resource.RLIMIT_CORE)
    assert differing({"nofile": soft, "core": core}) == ({}, [])
    assert limited(["true"], {}) == ["true"]


def test_others_are_set_between_fork_and_exec() -> None:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    changed, said = differing({"ofile": soft - 1})
    assert changed == {"nofile": soft - 1}
    assert said == []
    program, *words = limited(["sh", "-c", "x"], {"nofile": 100, "core": -1})
    assert program.endswith("prlimit")
    assert words == ["--nofile=100:", "--core=unlimited:", "--", "sh", "-c", "x"]


def test_nobody_gets_beyond_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _number: (50, 100))
    said = [Complaint(WARN, "nofile exceeds current max, raising value to hard limit", "rlimit")]
    assert differing({"nofile": 1000}) == ({"nofile": 100}, said)
    assert differing({"nofile": -1}) == ({"nofile": 100}, said)
    assert differing({"nofile": 70}) == ({"nofile": 70}, [])


def test_without_prlimit_a_changed_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.shutil, "which", lambda _name: None)
    with pytest.raises(ShellError, match="cannot set nofile: prlimit is not installed"):
        limited(["true"], {"nofile": 1})
