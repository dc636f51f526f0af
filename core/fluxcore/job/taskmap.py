"""Task maps (RFC 34): which tasks of a job are on which of its nodes.

A map is a list of blocks (nodeid, nnodes, ppn, repeat): tasks in their order, ``ppn`` on each of
``nnodes`` nodes from ``nodeid`` on, and that ``repeat`` times. Nodes are counted from 0 within
the job. A map without blocks is unknown.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import orjson

from fluxcore.resource.idset import IdSet

#: No job has more tasks than this; it bounds what a map from outside makes us do.
MAX_TASKS: Final = 2**24


class Block(NamedTuple):
    """A run of tasks, as the module says."""

    nodeid: int
    nnodes: int
    ppn: int
    repeat: int = 1

    @property
    def end(self) -> int:
        """The node after the last one."""
        return self.nodeid + self.nnodes

    @property
    def ntasks(self) -> int:
        """How many tasks the block has."""
        return self.nnodes * self.ppn * self.repeat


class Taskmap:
    """An immutable task map.

    :raises ValueError: a block has a number out of range
    """

    __slots__ = ("blocks",)

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.blocks: Final = tuple(blocks)
        for block in self.blocks:
            if block.nodeid < 0 or min(block[1:]) < 1 or block.end > MAX_TASKS:
                raise ValueError(f"invalid entry [{','.join(map(str, block))}]")
        if self.ntasks > MAX_TASKS:
            raise ValueError(f"taskmap has more than {MAX_TASKS} tasks")

    # -- schemes ---------------------------------------------------------------------------

    @classmethod
    def block(cls, counts: Iterable[int]) -> "Taskmap":
        """Tasks side by side: as many as ``counts`` says on each node in turn."""
        return cls._compact((node, count) for node, count in enumerate(counts))

    @classmethod
    def cyclic(cls, counts: Iterable[int], stride: int = 1) -> "Taskmap":
        """Tasks dealt out, ``stride`` at a time, until each node has as many as it should."""
        if stride < 1:
            raise ValueError(f"invalid stride {stride}")
        return cls._compact(_deal(list(counts), stride))

    @classmethod
    def _compact(cls, runs: Iterable[tuple[int, int]]) -> "Taskmap":
        """The map of runs of tasks, each on a node, in as few blocks as may be."""
        blocks: list[Block] = []
        for nodeid, ppn in runs:
            if ppn:
                _append(blocks, Block(nodeid, 1, ppn))
        return cls(blocks)

    # -- text ------------------------------------------------------------------------------

    @classmethod
    def decode(cls, text: str) -> "Taskmap":
        """The map in ``text``: RFC 34's JSON, wrapped or not, PMI's vector, or raw idsets.

        :raises ValueError: with flux-core's words
        """
        if not text or "vector," in text:
            return cls(_pmi_blocks(text))
        if not any(char in text for char in "({[]})"):
            return cls._compact(_raw_runs(text))
        return cls.from_json(orjson.loads(text))

    @classmethod
    def from_json(cls, obj: object) -> "Taskmap":
        """The map that a JSON value is: an array, or an object with version and map.

        :raises ValueError: with flux-core's words
        """
        if isinstance(obj, dict):
            if obj.get("version") != 1:
                raise ValueError(f"expected version=1, got {obj.get('version')}")
            obj = obj.get("map")
        if not isinstance(obj, list):
            raise ValueError("taskmap must be an object or array")
        return cls([_block_from_json(at, entry) for at, entry in enumerate(obj)])

    def to_json(self) -> list[list[int]]:
        """The map as RFC 34's array."""
        return [list(block) for block in self.blocks]

    def encode(self) -> str:
        """The map as RFC 34's array in compact JSON."""
        return orjson.dumps(self.to_json()).decode()

    def encode_pmi(self) -> str:
        """The map as PMI_process_mapping (RFC 13), "" if it is unknown."""
        triples = [
            f"({block.nodeid},{block.nnodes},{block.ppn})"
            for block in self.blocks
            for _ in range(block.repeat)
        ]
        return f"(vector,{','.join(triples)})" if triples else ""

    def encode_raw(self) -> str:
        """The map as the idset of each node in turn, parted by semicolons."""
        return ";".join([self.taskids(nodeid).encode() for nodeid in range(self.nnodes)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taskmap) and self.blocks == other.blocks

    def __hash__(self) -> int:
        return hash(self.blocks)

    def __repr__(self) -> str:
        return f"Taskmap.decode({self.encode()!r})"

    # -- asking ----------------------------------------------------------------------------

    @property
    def ntasks(self) -> int:
        """How many tasks there are, 0 if the map is unknown."""
        return sum([block.ntasks for block in self.blocks])

    @property
    def nnodes(self) -> int:
        """How many nodes there are, 0 if the map is unknown."""
        return max([block.end for block in self.blocks], default=0)

    def taskids(self, nodeid: int) -> IdSet:
        """The tasks on a node; none if it has none."""
        tasks: list[int] = []
        first = 0
        for block in self.blocks:
            if block.nodeid <= nodeid < block.end:
                start = first + (nodeid - block.nodeid) * block.ppn
                stride = block.nnodes * block.ppn
                for turn in range(block.repeat):
                    at = start + turn * stride
                    tasks += range(at, at + block.ppn)
            first += block.ntasks
        return IdSet(tasks)

    def nodeid(self, taskid: int) -> int:
        """The node that a task is on.

        :raises IndexError: there is no such task
        """
        first = 0
        for block in self.blocks:
            if first <= taskid < first + block.ntasks:
                turn = (taskid - first) % (block.nnodes * block.ppn)
                return block.nodeid + turn // block.ppn
            first += block.ntasks
        raise IndexError(f"there is no task {taskid}")


def _append(blocks: list[Block], new: Block) -> None:
    """Add a block of one node, joining it to the last ones where RFC 34's vectors do."""
    last = blocks[-1] if blocks else None
    if last is None:
        blocks.append(new)
    elif new.nodeid == last.end and new.ppn == last.ppn and last.repeat == 1:
        blocks[-1] = last._replace(nnodes=last.nnodes + new.nnodes)
    elif last[:2] == new[:2] and last.nnodes == 1:
        blocks[-1] = last._replace(ppn=last.ppn + new.ppn)
    elif last[:3] == new[:3]:
        blocks[-1] = last._replace(repeat=last.repeat + 1)
    else:
        blocks.append(new)
    if len(blocks) > 1 and blocks[-1][:3] == blocks[-2][:3]:
        again = blocks.pop()
        blocks[-1] = blocks[-1]._replace(repeat=blocks[-1].repeat + again.repeat)


def _deal(left: list[int], stride: int) -> Iterator[tuple[int, int]]:
    while any(left):
        for node, count in enumerate(left):
            taken = min(count, stride)
            left[node] -= taken
            yield node, taken


def _block_from_json(at: int, entry: object) -> Block:
    if not isinstance(entry, list):
        raise ValueError(f"entry {at} in taskmap is not an array")
    if len(entry) != 4 or not all(type(number) is int for number in entry):
        raise ValueError("error in taskmap entry: expected four integers")
    return Block(*entry)


def _pmi_blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    body = text.strip().removeprefix("(").removesuffix(")")
    if body and not body.startswith("vector,"):
        raise ValueError("vector prefix must precede blocklist")
    for token in body.removeprefix("vector").replace(" ", "").split(",(")[1:]:
        numbers = token.removesuffix(")").split(",")
        if len(numbers) != 3 or not all(n.isascii() and n.isdigit() for n in numbers):
            raise ValueError(f"unable to parse block: ({token}")
        nodeid, nnodes, ppn = (int(number[:10]) for number in numbers)
        if nnodes < 1 or ppn < 1:
            raise ValueError(f"invalid number in block: ({token}")
        _append(blocks, Block(nodeid, nnodes, ppn))
    if text and not blocks:
        raise ValueError("no tasks found in PMI_process_mapping")
    return blocks


def _raw_runs(text: str) -> Iterator[tuple[int, int]]:
    """Runs of a raw map, (node, how many tasks), in the order of their tasks."""
    runs: list[tuple[int, int, int]] = []
    for nodeid, ids in enumerate(text.split(";")):
        runs += [(lo, hi, nodeid) for lo, hi in IdSet.decode(ids).ranges]
    expected = 0
    for lo, hi, nodeid in sorted(runs):
        if lo < expected:
            raise ValueError(f"duplicate {_taskids(lo, min(hi, expected - 1))}")
        if lo > expected:
            raise ValueError(f"missing {_taskids(expected, lo - 1)}")
        yield nodeid, hi - lo + 1
        expected = hi + 1


def _taskids(lo: int, hi: int) -> str:
    return f"taskid: {lo}" if lo == hi else f"taskids: {lo}-{hi}"
