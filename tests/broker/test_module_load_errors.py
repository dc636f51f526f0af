"""Loads that fail: files with faults, names that are taken, loaders that are missing (A22, A27)."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fluxcore.handle.aio import Flux
from support.modules import ECHO, WriteModule, every_placement, listed, load, remove
from support.refused import EEXIST, ENOENT, refused


@every_placement
async def test_a_start_that_fails(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    assert await refused(load(flux, path, "errno=33")) == (errno.EDOM, "as told")
    error = await refused(load(flux, path, "fault=1"))
    assert error == (errno.EINVAL, "ValueError: as told")
    assert "echo" not in await listed(flux)
    await load(flux, path)
    await remove(flux, "echo")


@every_placement
async def test_a_file_with_a_fault(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", "    def (", placement)
    execs = placement == "process"
    errnum, text = await refused(load(flux, path, exec=execs))
    assert errnum == errno.EINVAL
    assert text is not None
    assert text.startswith("SyntaxError: invalid syntax (echo.py, line 7)")
    Path(path).write_text("import sys\nsys.exit(3)\n")
    assert await refused(load(flux, path, exec=execs)) == (errno.EINVAL, "SystemExit: 3")
    Path(path).write_text("import nosuchthing\n")
    error = await refused(load(flux, path, exec=execs))
    assert error == (errno.EINVAL, "ModuleNotFoundError: No module named 'nosuchthing'")
    Path(path).write_bytes(b"\xff\xfe\0")
    assert (await refused(load(flux, path, exec=execs)))[0] == errno.EINVAL
    assert "echo" not in await listed(flux)


async def test_a_program_whose_name_no_system_takes(flux: Flux) -> None:
    for _ in range(2):  # nothing is left of the first
        payload = {"path": "/x/a\0b", "name": "nul", "loader": "l", "args": []}
        assert (await refused(flux.rpc("module.load", payload)))[0] == errno.EINVAL
    assert "nul" not in await listed(flux)


async def test_a_file_must_hold_one_module_class(flux: Flux, tmp_path: Path) -> None:
    path = tmp_path / "echo.py"
    head = "from fluxcore.handle.module import Module\n"
    for body, count in (("", 0), ("class A(Module): pass\nclass B(Module): pass\n", 2)):
        path.write_text(head + body)
        text = f"echo.py defines {count} Module classes, not one"
        assert await refused(load(flux, str(path))) == (errno.EINVAL, text)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"path": "nosuch"}, (errno.ENOENT, "module not found in search path")),
        ({"path": "../log"}, (errno.EINVAL, "could not determine loader from path suffix")),
        ({"path": "/nonexistent/x.py"}, ENOENT),
        ({"path": "/nonexistent/x.so"}, (errno.EINVAL, "could not determine loader")),
        ({"path": "/etc/passwd"}, (errno.EINVAL, "could not determine loader from path suffix")),
        ({"path": ""}, (errno.ENOENT, "module not found in search path")),
        ({"path": "__init__"}, (errno.ENOENT, "module not found in search path")),
        ({"path": "config"}, EEXIST),
        (
            {"path": "config", "exec": True},
            (errno.EINVAL, "built-in modules cannot execute in a separate process"),
        ),
        (
            {"path": "config", "loader": "x"},
            (errno.EINVAL, "built-in modules cannot execute in a separate process"),
        ),
        (
            {"path": "heartbeat", "loader": "x"},
            (errno.EINVAL, "module loader may only be specified with module path"),
        ),
        ({"path": "heartbeat", "name": "a.b"}, (errno.EINVAL, "Invalid argument")),
        ({"path": "heartbeat", "name": "log"}, EEXIST),
        ({"path": "heartbeat", "args": ["bogus=1"]}, (errno.EINVAL, "bogus=1: unknown option")),
        ({"path": "heartbeat", "args": [1]}, (errno.EPROTO, "Protocol error")),
        ({"path": "heartbeat", "args": None}, (errno.EPROTO, "Protocol error")),
    ],
)
async def test_a_load_that_is_refused(
    flux: Flux, request_: dict[str, Any], error: tuple[int, str]
) -> None:
    """CONTRACTS A22."""
    before = set(await listed(flux))
    errnum, text = await refused(flux.rpc("module.load", {"args": [], **request_}))
    assert (errnum, (text or "").startswith(error[1])) == (error[0], True), text
    assert set(await listed(flux)) == before


async def test_a_name_is_searched_for(
    flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_module("echo", ECHO)
    monkeypatch.setenv("FLUX_MODULE_PATH", f"/nonexistent::{tmp_path}")
    await load(flux, "echo")
    await remove(flux, "echo")
    write_module("heartbeat", ECHO)
    await load(flux, "heartbeat")
    assert (await listed(flux))["heartbeat"]["services"] == ["heartbeat"], "ours come first"
    await remove(flux, "heartbeat")


@every_placement
async def test_a_name_that_is_taken(flux: Flux, write_module: WriteModule, placement: str) -> None:
    path = write_module("echo", ECHO, placement)
    both = [asyncio.ensure_future(load(flux, path)) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["FileExistsError", "NoneType"]
    assert await refused(load(flux, path)) == EEXIST
    assert await refused(load(flux, path, name="attr")) == EEXIST
    await remove(flux, "echo")


async def test_a_service_that_is_taken_fails_the_load(
    flux: Flux, write_module: WriteModule
) -> None:
    await flux.add_service("parrot")
    assert await refused(load(flux, write_module("echo", ECHO))) == EEXIST
    assert "echo" not in await listed(flux)


async def test_a_loader_that_cannot_be_started(
    flux: Flux, write_module: WriteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    path = write_module("echo", ECHO)
    assert await refused(load(flux, path, loader="module-python-exec")) == ENOENT
    assert "echo" not in await listed(flux)


@pytest.mark.slow
async def test_a_loader_that_fails(
    flux: Flux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONTRACTS A27."""
    script = tmp_path / "flux"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "echo.py").write_text("")
    error = await refused(load(flux, str(tmp_path / "echo.py"), loader="x"))
    assert error == (errno.EINVAL, "loader (x) exited with exit code 3")
