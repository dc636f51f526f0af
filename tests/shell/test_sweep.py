import asyncio
from pathlib import Path

from fluxcore.shell.sweep import Sweeper


async def test_directories_are_gone_when_it_has_finished(tmp_path: Path) -> None:
    sweeper = Sweeper(asyncio.get_running_loop())
    await sweeper.finish()
    for name in ("empty", "full", "late"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").write_text("x")
    (tmp_path / "stays").write_text("x")
    for name in ("empty", "full", "nosuch"):
        sweeper.remove(str(tmp_path / name))
    finishing = asyncio.ensure_future(sweeper.finish())
    await asyncio.sleep(0)
    sweeper.remove(str(tmp_path / "late"))  # while the others are being removed
    await finishing
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_it_does_so_by_itself(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    sweeper = Sweeper(loop)
    path = tmp_path / "job"
    path.mkdir()
    sweeper.remove(str(path))
    gone = loop.create_future()

    def look() -> None:
        if path.exists():
            loop.call_later(0.01, look)
        else:
            gone.set_result(None)

    look()
    await gone
    await sweeper.finish()
    await loop.shutdown_default_executor()
