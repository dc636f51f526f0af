import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.kvs.namespace import Namespaces, VersionWaiters
from fluxcore.kvs.queue import Commit

ROOT = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"


@pytest.fixture
def table() -> Namespaces[str]:
    table: Namespaces[str] = Namespaces()
    table.create("primary", 1, 0, ROOT)
    table.create("n", 100, 0, ROOT)
    return table


def test_a_namespace_begins_with_its_root(table: Namespaces[str]) -> None:
    namespace = table.need("n", 100)
    assert (namespace.owner, namespace.rootref, namespace.rootseq) == (100, ROOT, 0)
    assert [each.name for each in table] == ["primary", "n"]


def test_a_name_is_taken_once(table: Namespaces[str]) -> None:
    with pytest.raises(FileExistsError) as caught:
        table.create("n", 100, 0, ROOT)
    assert caught.value.strerror == "File exists"


def test_a_namespace_is_for_its_owner_and_the_instances(table: Namespaces[str]) -> None:
    assert table.need("n", None) is table.need("n", 100)
    with pytest.raises(PermissionError):
        table.need("n", 101)
    with pytest.raises(OSError) as caught:
        table.need("nosuch", None)
    assert caught.value.errno == errno.ENOTSUP


@pytest.mark.parametrize("name", ["primary", "PRIMARY", "Primary"])
def test_the_primary_namespace_stays(table: Namespaces[str], name: str) -> None:
    with pytest.raises(OSError) as caught:
        table.remove(name)
    assert caught.value.errno == errno.ENOTSUP


def test_a_removed_namespace_is_gone_when_nobody_waits_for_it(table: Namespaces[str]) -> None:
    namespace = table.need("n", None)
    namespace.waiters.add(5, "request")
    namespace.queue.add(Commit(["t0"], []))
    namespace.commits["t0"] = "commit"
    assert table.remove("n") is namespace
    assert table.remove("n") is None
    assert table.get("n") is None
    assert table.find("n") is namespace
    with pytest.raises(FileExistsError) as caught:
        table.create("n", 100, 0, ROOT)
    assert caught.value.strerror == (
        "namespace with identical name in process of being removed. Try again later"
    )
    for release in (namespace.waiters.clear, namespace.queue.drop, namespace.commits.clear):
        assert table.reap() == []
        release()
    assert table.reap() == ["n"]
    assert table.find("n") is None


def test_the_name_of_an_idle_removed_namespace_is_free(table: Namespaces[str]) -> None:
    table.need("n", None).set_root(ROOT, 5)
    table.remove("n")
    assert table.create("n", 200, 0, ROOT).rootseq == 0
    assert table.need("n", 200).owner == 200


def test_removing_an_unknown_namespace_is_no_error(table: Namespaces[str]) -> None:
    assert table.remove("nosuch") is None


def test_an_older_root_is_not_followed(table: Namespaces[str]) -> None:
    namespace = table.need("primary", None)
    namespace.set_root("sha1-" + "1" * 40, 3)
    namespace.set_root("sha1-" + "2" * 40, 3)
    namespace.set_root("sha1-" + "3" * 40, 2)
    assert (namespace.rootref, namespace.rootseq) == ("sha1-" + "1" * 40, 3)


def test_those_that_waited_for_a_version_are_told_with_it(table: Namespaces[str]) -> None:
    namespace = table.need("primary", None)
    for seq, request in ((3, "c"), (1, "a"), (2, "b"), (3, "d")):
        namespace.waiters.add(seq, request)
    assert namespace.set_root(ROOT, 2) == ["a", "b"]
    assert len(namespace.waiters) == 2
    namespace.waiters.discard(lambda request: request == "c")
    assert namespace.set_root(ROOT, 7) == ["d"]


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 25)))
def test_waiters_leave_in_the_order_of_their_versions(seqs: list[int], roots: list[int]) -> None:
    waiters: VersionWaiters[int] = VersionWaiters()
    for request, seq in enumerate(seqs):
        waiters.add(seq, request)
    left = sorted(range(len(seqs)), key=lambda request: (seqs[request], request))
    for root in sorted(roots):
        done = waiters.reached(root)
        assert done == [request for request in left if seqs[request] <= root]
        left = [request for request in left if request not in done]
    assert waiters.clear() == left
    assert not waiters
