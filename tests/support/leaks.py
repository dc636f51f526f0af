"""What must not be left behind: processes, threads, descriptors, files."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fluxcore.handle.loop import new_event_loop

# The first loop of a process may open what all later ones share.
new_event_loop().close()


def descriptors() -> dict[int, str]:
    """This process's open descriptors and what each is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


def is_running(pid: int) -> bool:
    """False for a process that is gone, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes_with(mark: str) -> list[str]:
    """The command lines of the processes whose environment holds ``mark``."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:  # a zombie has none
                    found.append(f"{folder.name}: {command}")
        except OSError:
            continue  # it has just ended, or is not ours
    return found


@contextmanager
def no_leaks() -> Iterator[None]:
    """Fails if the block leaves a descriptor or a thread of this process behind."""
    before, threads = descriptors(), set(threading.enumerate())
    yield
    left = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
    assert not left, f"descriptors left open: {left}"
    more = [thread.name for thread in threading.enumerate() if thread not in threads]
    more = [name for name in more if not name.startswith("asyncio_")]  # the loop's executor
    assert not more, f"threads left running: {more}"
