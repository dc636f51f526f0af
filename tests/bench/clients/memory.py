"""memory.py: resident MB of the rank 0 broker, then the mean private MB of the others."""

from pathlib import Path
from statistics import mean

from fluxcore.handle.blocking import Flux


def kilobytes(pid: int, *names: str) -> int:
    """The sum of the named rows of a process's memory map."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(names))


with Flux() as flux:
    pids = []
    for rank in range(int(flux.attr("size"))):
        answer = flux.rpc("attr.get", {"name": "broker.pid"}, nodeid=rank).json
        pids.append(int(answer["value"]))
print(kilobytes(pids[0], "Rss:") / 1024)
print(mean(kilobytes(pid, "Private_Clean:", "Private_Dirty:") for pid in pids[1:]) / 1024)
