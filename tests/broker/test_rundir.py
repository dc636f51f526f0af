"""The broker's directories (CONTRACTS B10)."""

import errno
import os
from pathlib import Path

import pytest

from fluxcore.broker.attributes import Attributes
from fluxcore.broker.rundir import BrokerDir


def attrs_with(**values: str) -> Attributes:
    attrs = Attributes()
    for name, value in values.items():
        attrs.set(name.replace("_", "-"), value)
    return attrs


def test_unset_a_new_one_is_made_and_removed(short_path: Path) -> None:
    attrs = attrs_with()
    made = BrokerDir(attrs, "rundir", str(short_path))
    assert Path(made.path).parent == short_path
    assert os.stat(made.path).st_mode & 0o777 == 0o700
    assert (attrs["rundir"], attrs["rundir-cleanup"]) == (made.path, "1")
    (Path(made.path) / "something").write_text("x")
    made.close()
    assert not Path(made.path).exists()
    made.close()


def test_a_missing_one_is_made_and_removed(short_path: Path) -> None:
    attrs = attrs_with(rundir=str(short_path / "mine"))
    made = BrokerDir(attrs, "rundir", "/nonexistent")
    assert Path(made.path) == short_path / "mine"
    made.close()
    assert not Path(made.path).exists()


def test_one_that_was_there_stays(short_path: Path) -> None:
    found = BrokerDir(attrs_with(rundir=str(short_path)), "rundir", "/nonexistent")
    found.close()
    assert short_path.exists()


def test_cleanup_as_the_attribute_says(short_path: Path) -> None:
    folder = short_path / "mine"
    folder.mkdir(mode=0o700)
    BrokerDir(attrs_with(rundir=str(folder), rundir_cleanup="1"), "rundir", "/").close()
    assert not folder.exists()
    BrokerDir(attrs_with(rundir=str(folder), rundir_cleanup="0"), "rundir", "/").close()
    assert folder.exists()


def test_in_a_sticky_one_a_new_one_is_made(short_path: Path) -> None:
    sticky = short_path / "tmp"
    sticky.mkdir()
    sticky.chmod(0o1777)
    attrs = attrs_with(rundir=str(sticky))
    made = BrokerDir(attrs, "rundir", "/")
    assert Path(made.path).parent == sticky
    assert attrs["rundir"] == made.path
    made.close()
    assert list(sticky.iterdir()) == []


def refusal(attrs: Attributes, name: str = "rundir", parent: str = "/") -> tuple[int, str]:
    with pytest.raises(OSError) as caught:
        BrokerDir(attrs, name, parent)
    return caught.value.errno or 0, caught.value.strerror or ""


def test_one_that_cannot_be_made() -> None:
    text = "error creating /nonexist/a: No such file or directory"
    assert refusal(attrs_with(rundir="/nonexist/a")) == (errno.ENOENT, text)
    text = "cannot create directory in /nonexist: No such file or directory"
    assert refusal(attrs_with(), parent="/nonexist") == (errno.ENOENT, text)


def test_one_too_long_for_a_socket_is_refused_and_not_left_behind(short_path: Path) -> None:
    folder = short_path / ("x" * 90)
    errnum, text = refusal(attrs_with(rundir=str(folder)))
    size = len(str(folder))
    assert errnum == errno.EOVERFLOW
    assert text == f"length of {size} bytes exceeds max 96 to allow for AF_UNIX socket creation."
    assert not folder.exists()
    statedir = BrokerDir(attrs_with(statedir=str(folder)), "statedir", "/")
    statedir.close()


def test_one_that_is_no_directory(short_path: Path) -> None:
    file = short_path / "file"
    file.write_text("")
    file.chmod(0o700)
    assert refusal(attrs_with(rundir=str(file))) == (errno.ENOTDIR, f"{file}: Not a directory")


def test_one_that_its_owner_cannot_use(short_path: Path) -> None:
    folder = short_path / "mine"
    folder.mkdir()
    folder.chmod(0o500)
    text = f"{folder} does not have owner=rwx permissions"
    assert refusal(attrs_with(rundir=str(folder))) == (errno.EPERM, text)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_one_of_somebody_else(short_path: Path) -> None:
    folder = short_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1234, 1234)
    text = f"{folder} is not owned by instance owner"
    assert refusal(attrs_with(rundir=str(folder))) == (errno.EPERM, text)
