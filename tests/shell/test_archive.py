"""Files that a jobspec brings along."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from fluxcore.shell.archive import extract
from fluxcore.shell.errors import ShellError

FILE = stat.S_IFREG | 0o640


def test_files_are_made(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "script": {"mode": stat.S_IFREG | 0o700, "encoding": "utf-8", "data": "#!/bin/sh\n# ä\n"},
        "sub/dir/bytes": {"mode": FILE, "encoding": "base64", "data": "AAH/", "size": 3},
        "conf.json": {"mode": FILE, "data": {"a": [1, 2]}, "mtime": 1, "ctime": 1},
        "empty": {"mode": FILE},
        "folder": {"mode": stat.S_IFDIR | 0o700},
        "link": {"mode": stat.S_IFLNK | 0o777, "data": "script"},
        "name": {"path": "other", "mode": FILE, "data": "text", "encoding": "utf-8"},
    }
    extract(files, str(tmp_path))
    assert (tmp_path / "script").read_text() == "#!/bin/sh\n# ä\n"
    assert os.access(tmp_path / "script", os.X_OK)
    assert (tmp_path / "sub/dir/bytes").read_bytes() == b"\x00\x01\xff"
    assert (tmp_path / "conf.json").read_text() == '{"a":[1,2]}'
    assert (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / "folder").is_dir()
    assert os.readlink(tmp_path / "link") == "script"
    assert (tmp_path / "other").read_text() == "text"
    assert not (tmp_path / "name").exists()


def test_they_may_be_a_list(tmp_path: Path) -> None:
    extract([{"path": "x", "mode": FILE}], str(tmp_path))
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ([5], "error decoding fileref object"),
        ({"x": {}}, "x: error decoding fileref object"),
        ({"x": {"mode": FILE, "path": 5}}, "error decoding fileref object"),
        ({"x": {"mode": stat.S_IFIFO}}, "x: unknown file type (mode=010000)"),
        ({"x": {"mode": stat.S_IFLNK}}, "x: missing symlink data"),
        ({"x": {"mode": FILE, "data": 5, "encoding": "utf-8"}}, "x: unexpected data type for utf8"),
        (
            {"x": {"mode": FILE, "data": "?", "encoding": "base64"}},
            "x: could not decode base64 file data",
        ),
        ({"x": {"mode": FILE, "data": [], "encoding": "y"}}, "x: unknown RFC 37 encoding y"),
        ({"../x": {"mode": FILE}}, "../x: path is outside of the archive"),
        ([{"mode": FILE}], ": path is outside of the archive"),
        ([{"path": "x", "mode": FILE}, {"path": "x", "mode": FILE}], "x: File exists"),
    ],
)
def test_they_may_be_wrong(tmp_path: Path, files: Any, text: str) -> None:
    with pytest.raises(ShellError) as caught:
        extract(files, str(tmp_path))
    assert caught.value.complaints[0].message == text
