"""Task maps: RFC 34's vectors, the schemes, and every question against a plain list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.job.taskmap import Block, Taskmap

# RFC 34's test vectors.
VECTORS = [
    ("0", "[[0,1,1,1]]"),
    ("0;1", "[[0,2,1,1]]"),
    ("0-1", "[[0,1,2,1]]"),
    ("0-1;2-3", "[[0,2,2,1]]"),
    ("0,2;1,3", "[[0,2,1,2]]"),
    ("1;0", "[[1,1,1,1],[0,1,1,1]]"),
    ("0-3;4-7;8-11;12-15", "[[0,4,4,1]]"),
    ("0,4,8,12;1,5,9,13;2,6,10,14;3,7,11,15", "[[0,4,1,4]]"),
    ("0-1,8-9;2-3,10-11;4-5,12-13;6-7,14-15", "[[0,4,2,2]]"),
    ("0-1;2-3;4-5;6-7;8-11;12-15", "[[0,4,2,1],[4,2,4,1]]"),
    ("0,6;1,7;2,8;3,9;4,10,12,14;5,11,13,15", "[[0,6,1,2],[4,2,1,2]]"),
    (
        "14-15;12-13;10-11;8-9;4-7;0-3",
        "[[5,1,4,1],[4,1,4,1],[3,1,2,1],[2,1,2,1],[1,1,2,1],[0,1,2,1]]",
    ),
    ("0-1;2-3;4-5;6-7;8-9;12-13;10-11;14-15", "[[0,5,2,1],[6,1,2,1],[5,1,2,1],[7,1,2,1]]"),
    ("12-15;8-11;4-7;0-3", "[[3,1,4,1],[2,1,4,1],[1,1,4,1],[0,1,4,1]]"),
]


@pytest.mark.parametrize(("raw", "text"), VECTORS)
def test_a_vector_both_ways(raw: str, text: str) -> None:
    assert Taskmap.decode(raw).encode() == text
    assert Taskmap.decode(text).encode_raw() == raw
    assert Taskmap.decode(f'{{"version":1,"map":{text}}}') == Taskmap.decode(text)


def test_the_unknown_map() -> None:
    for text in ("", "[]"):
        unknown = Taskmap.decode(text)
        assert (unknown.ntasks, unknown.nnodes, unknown.blocks) == (0, 0, ())
    assert Taskmap().encode() == "[]"
    assert Taskmap().encode_pmi() == ""


@pytest.mark.parametrize(
    ("text", "pmi"),
    [
        ("[[0,4,4,1]]", "(vector,(0,4,4))"),
        ("[[0,4,1,2]]", "(vector,(0,4,1),(0,4,1))"),
        ("[[0,4,2,1],[4,2,4,1]]", "(vector,(0,4,2),(4,2,4))"),
    ],
)
def test_pmi_both_ways(text: str, pmi: str) -> None:
    assert Taskmap.decode(text).encode_pmi() == pmi
    assert Taskmap.decode(pmi).encode() == text
    assert Taskmap.decode(pmi.replace(",(", ", (")).encode() == text


@pytest.mark.parametrize(
    ("counts", "stride", "text"),
    [
        ([4, 4, 4, 4], 0, "[[0,4,4,1]]"),
        ([2, 2, 2, 2, 4, 4], 0, "[[0,4,2,1],[4,2,4,1]]"),
        ([2, 1], 0, "[[0,1,2,1],[1,1,1,1]]"),
        ([1, 0, 1], 0, "[[0,1,1,1],[2,1,1,1]]"),
        ([], 0, "[]"),
        ([4, 4, 4, 4], 1, "[[0,4,1,4]]"),
        ([4, 4, 4, 4], 2, "[[0,4,2,2]]"),
        ([2, 2, 2, 2, 4, 4], 1, "[[0,6,1,2],[4,2,1,2]]"),
        ([2, 2, 2, 2, 4, 4], 2, "[[0,6,2,1],[4,2,2,1]]"),
        ([2, 1], 1, "[[0,2,1,1],[0,1,1,1]]"),
    ],
)
def test_block_and_cyclic(counts: list[int], stride: int, text: str) -> None:
    made = Taskmap.cyclic(counts, stride) if stride else Taskmap.block(counts)
    assert made.encode() == text


def test_a_deal_needs_a_stride() -> None:
    with pytest.raises(ValueError, match="invalid stride 0"):
        Taskmap.cyclic([1], 0)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x", "error parsing range 'x'"),
        ("0;2", "missing taskid: 1"),
        ("0;4", "missing taskids: 1-3"),
        ("0-1;1-2", "duplicate taskid: 1"),
        ("0-3;1-2", "duplicate taskids: 1-2"),
        ("[1]", "entry 0 in taskmap is not an array"),
        ("[[0,1]]", "error in taskmap entry"),
        ('[[0,1,1,"1"]]', "error in taskmap entry"),
        ("[[0,1,1,0]]", "invalid entry [0,1,1,0]"),
        ("[[-1,1,1,1]]", "invalid entry [-1,1,1,1]"),
        ("[[0,9999,9999,9999]]", "more than 16777216 tasks"),
        ("[[99999999,1,1,1]]", "invalid entry"),
        ('{"version":2,"map":[]}', "expected version=1, got 2"),
        ('{"version":1}', "taskmap must be an object or array"),
        ("(1)", "unexpected character"),
        ("x(vector,(0,1,1))", "vector prefix must precede blocklist"),
        ("(vector,(0,1))", "unable to parse block"),
        ("(vector,(0,1,0))", "invalid number in block"),
        ("(vector,)", "no tasks found in PMI_process_mapping"),
    ],
)
def test_what_is_no_task_map(text: str, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        Taskmap.decode(text)
    assert error in str(caught.value)


blocks = st.builds(
    Block, st.integers(0, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)
)


@given(st.lists(blocks, max_size=4))
def test_every_question_against_a_plain_list(parts: list[Block]) -> None:
    """The list of nodes by task, written out from the definition of a block."""
    nodes = [
        node
        for block in parts
        for _ in range(block.repeat)
        for node in range(block.nodeid, block.nodeid + block.nnodes)
        for _ in range(block.ppn)
    ]
    taskmap = Taskmap(parts)
    assert taskmap.ntasks == len(nodes)
    assert taskmap.nnodes == max(nodes, default=-1) + 1
    assert [taskmap.nodeid(task) for task in range(len(nodes))] == nodes
    for node in range(8):
        assert list(taskmap.taskids(node)) == [t for t, n in enumerate(nodes) if n == node]
    assert Taskmap.decode(taskmap.encode()) == taskmap
    with pytest.raises(IndexError, match="there is no task"):
        taskmap.nodeid(len(nodes))
    if nodes and set(nodes) == set(range(max(nodes) + 1)):
        raw = Taskmap.decode(taskmap.encode_raw())
        assert [raw.nodeid(task) for task in range(len(nodes))] == nodes
    if nodes:
        pmi = Taskmap.decode(taskmap.encode_pmi())
        assert [pmi.nodeid(task) for task in range(len(nodes))] == nodes


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(1, 3))
def test_schemes_give_each_node_its_tasks(counts: list[int], stride: int) -> None:
    for made in (Taskmap.block(counts), Taskmap.cyclic(counts, stride)):
        assert [len(made.taskids(node)) for node in range(len(counts))] == counts
    assert hash(made) == hash(Taskmap(made.blocks))
    assert repr(made) == f"Taskmap.decode('{made.encode()}')"
