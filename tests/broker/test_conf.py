"""Reading the configuration (CONTRACTS B9, A44)."""

import errno
from pathlib import Path

import pytest

from fluxcore.broker.conf import read_conf


def test_none() -> None:
    assert read_conf(None) == {}


def test_a_folder_of_files_is_put_together_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("[a]\nx = 2\ny = 3\n")
    (tmp_path / "a.toml").write_text("[a]\nx = 1\n[a.t]\nn = 1\n")
    (tmp_path / "c.txt").write_text("no TOML")
    assert read_conf(str(tmp_path)) == {"a": {"x": 2, "y": 3, "t": {"n": 1}}}


def test_a_file_and_changes_to_it(tmp_path: Path) -> None:
    file = tmp_path / "conf.toml"
    file.write_text("[heartbeat]\nperiod = '1s'\n")
    more = tmp_path / "more.toml"
    more.write_text("[tbon]\nn = 1\n")
    updates = ["heartbeat.period=2s", "access.allow-guest-user=true", 'q.b = [1, "x"]', str(more)]
    assert read_conf(str(file), updates) == {
        "heartbeat": {"period": "2s"},
        "access": {"allow-guest-user": True},
        "q": {"b": [1, "x"]},
        "tbon": {"n": 1},
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"[a\n", "Expected"), (b"a = ", "Invalid value"), (b"\xff\xfe", "can't decode")],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    for path in (file, tmp_path):
        with pytest.raises(OSError, match=f"Config file error: {file}: .*{why}") as caught:
            read_conf(str(path))
        assert caught.value.errno == errno.EINVAL


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Config file error: .*: No such file or directory"):
        read_conf(str(tmp_path / "nosuch.toml"))


@pytest.mark.parametrize(
    ("update", "conf"),
    [
        ("a.b=1", {"a": {"b": 1}}),
        ("a.b=x y", {"a": {"b": "x y"}}),
        ("a b=c d", {"a b": "c d"}),
        ('a="', {"a": '"'}),
        ("[a]\nb = 1", {"a": {"b": 1}}),
    ],
)
def test_a_change(update: str, conf: dict[str, object]) -> None:
    assert read_conf(None, [update]) == conf


@pytest.mark.parametrize(
    ("update", "text"),
    [
        ("nokey", "--conf: nokey: No such file or directory"),
        ("=x", "--conf: value must have a key in KEY=VAL"),
    ],
)
def test_a_change_that_is_none(update: str, text: str) -> None:
    with pytest.raises(OSError) as caught:
        read_conf(None, [update])
    assert caught.value.strerror == text
