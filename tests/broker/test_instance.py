"""A whole instance: it comes up, answers and goes down without a trace."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from support.instance import FLUX, NO_RC
from support.refused import refused


@pytest.mark.parametrize("size", [1, 4])
async def test_local_instance(local_instance, size):
    async with local_instance(size, setattrs=NO_RC) as inst, await inst.connect(size - 1) as flux:
        assert await flux.attr("size") == str(size)
        assert await flux.attr("rank") == str(size - 1)


async def test_the_log_goes_to_a_file(local_instance, tmp_path):
    path = tmp_path / "log"
    attrs = {**NO_RC, "log-filename": str(path), "log-forward-level": "7"}
    async with local_instance(2, setattrs=attrs) as inst:
        async with await inst.connect(0) as flux:
            assert await flux.attr("log-filename") == str(path)
        async with await inst.connect(1) as flux:
            assert await refused(flux.attr("log-filename")) == (
                errno.ENOENT,
                os.strerror(errno.ENOENT),
            )
    text = path.read_text()
    for said in (
        "[0]: quorum-full: quorum->run",
        "[1]: quorum-full: quorum->run",
        "[0]: builtins-done",
    ):
        assert f"broker.info{said}" in text


def test_a_log_file_that_cannot_be(short_path: Path) -> None:
    path = short_path / "nosuch" / "log"
    done = subprocess.run(
        [FLUX, "start", f"-Slog-filename={path}", "true"], capture_output=True, text=True
    )
    text = f"flux-broker: {path}: No such file or directory\n"
    assert (done.returncode, done.stderr) == (1, text)
