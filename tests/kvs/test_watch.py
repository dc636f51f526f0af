import errno
from typing import Any

import pytest

from fluxcore.kvs import watch
from fluxcore.kvs.blobref import blobref
from fluxcore.kvs.treeobj import make_dirref, make_symlink, make_val, make_valref
from fluxcore.kvs.watch import End, Load, LookUp, Root, Tell, Watcher, check_flags

W = watch.WATCH
REFS = [blobref(b"%d" % n) for n in range(9)]


def root(seq: int) -> Root:
    return Root(blobref(b"root %d" % seq), seq)


def found(val: object, seq: int) -> dict[str, Any]:
    return {"val": val, "rootseq": seq, "rootref": root(seq).rootref}


def missing(seq: int) -> dict[str, Any]:
    return {"errno": errno.ENOENT, "rootseq": seq, "rootref": root(seq).rootref}


class Client:
    """A watcher whose lookups and loads are answered by hand."""

    def __init__(self, flags: int) -> None:
        self.watcher = Watcher("a", flags)
        self.lookups: list[LookUp] = []
        self.loads: list[Load] = []
        self.told: list[object] = []

    def take(self, actions: list[watch.Action]) -> "Client":
        for action in actions:
            match action:
                case LookUp():
                    self.lookups.append(action)
                case Load():
                    self.loads.append(action)
                case Tell(val):
                    self.told.append(val)
                case End(errnum, text):
                    self.told.append((errnum, text) if text else errnum)
        return self

    def root(self, seq: int) -> "Client":
        return self.take(self.watcher.root_changed(root(seq)))

    def answer(self, result: Any, which: int = 0) -> "Client":
        return self.take(self.watcher.looked_up(self.lookups.pop(which).slot, result))

    def load(self, result: bytes | OSError, which: int = 0) -> "Client":
        return self.take(self.watcher.loaded(self.loads.pop(which).slot, result))


def begun(flags: int, val: object) -> Client:
    """A watcher whose first lookup, in root 1, has found ``val``."""
    return Client(flags).root(1).answer(found(val, 1) if val is not None else missing(1))


# -- flags ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "streaming", "errnum", "text"),
    [
        (W, False, 71, "KVS watch request rejected without streaming RPC flag"),
        (512, False, 71, "KVS stream request rejected without streaming RPC flag"),
        (W | 512, True, 22, "Cannot KVS watch and stream at the same time"),
        (64, True, 22, "Must set KVS watch flag with other watch flags"),
        (128, True, 22, "Must set KVS watch flag with other watch flags"),
        (256, False, 22, "Must set KVS watch flag with other watch flags"),
        (1024, True, 22, "Must set KVS watch flag with other watch flags"),
        (W | 1024, True, 22, "Must set KVS watch append flag with initial sentinel flag"),
    ],
)
def test_flags_that_do_not_go_together(flags: int, streaming: bool, errnum: int, text: str) -> None:
    with pytest.raises(OSError) as caught:
        check_flags(flags, streaming=streaming)
    assert (caught.value.errno, caught.value.strerror) == (errnum, text)


@pytest.mark.parametrize("flags", [0, 8, 1 | 8])
def test_a_plain_lookup_needs_no_stream(flags: int) -> None:
    check_flags(flags, streaming=False)


# -- watching ------------------------------------------------------------------------------


def test_the_first_lookup_is_in_the_namespace_and_later_ones_in_their_root() -> None:
    client = Client(W).root(1)
    first = client.lookups[0]
    assert (first.key, first.flags, first.root) == ("a", W, None)
    client.answer(found(make_val(b"1"), 1)).root(2)
    assert client.lookups[0].root == root(2)
    assert client.told == [make_val(b"1")]


def test_a_root_that_was_looked_at_is_not_looked_at_again() -> None:
    client = begun(W, make_val(b"1")).root(3).root(3).root(2)
    assert len(client.lookups) == 1


def test_changes_are_told_in_the_order_of_the_commits() -> None:
    client = begun(W, make_val(b"1")).root(2).root(3).root(4)
    client.answer(found(make_val(b"4"), 4), which=2)
    client.answer(found(make_val(b"3"), 3), which=1)
    assert client.told == [make_val(b"1")]
    client.answer(found(make_val(b"2"), 2))
    assert client.told == [make_val(b"%d" % n) for n in (1, 2, 3, 4)]


def test_a_change_that_the_first_lookup_has_seen_is_not_told_again() -> None:
    client = Client(W).root(1).root(2)
    client.answer(found(make_val(b"2"), 2)).answer(found(make_val(b"2"), 2))
    assert client.told == [make_val(b"2")]


def test_the_same_value_set_again_is_told_again_unless_unique_ones_are_wanted() -> None:
    for flags, count in ((W, 3), (W | watch.WATCH_UNIQ, 2), (W | watch.WATCH_FULL, 2)):
        client = begun(flags, make_val(b"1"))
        client.root(2).answer(found(make_val(b"1"), 2))
        client.root(3).answer(found(make_val(b"2"), 3))
        assert len(client.told) == count


def test_a_key_that_is_not_there_or_goes_away_ends_it() -> None:
    assert begun(W, None).told == [errno.ENOENT]
    client = begun(W, make_val(b"1")).root(2).answer(missing(2))
    assert client.told == [make_val(b"1"), errno.ENOENT]
    assert client.watcher.finished
    assert client.root(3).lookups == []


def test_a_key_that_is_waited_for() -> None:
    client = begun(W | watch.WAITCREATE, None)
    assert client.told == []
    client.root(2).answer(found(make_val(b"1"), 2))
    assert client.told == [make_val(b"1")]
    client.root(3).answer(missing(3))
    assert client.told == [make_val(b"1"), errno.ENOENT]


def test_a_key_that_is_waited_for_may_be_missing_in_many_commits() -> None:
    """flux-core ends here with ENOENT, which nobody who waits for a key can want."""
    client = begun(W | watch.WATCH_FULL | watch.WAITCREATE, None)
    client.root(2).answer(missing(2)).root(3).answer(found(make_val(b"1"), 3))
    assert client.told == [make_val(b"1")]


def test_an_older_root_in_which_the_key_was_missing_does_not_count() -> None:
    client = Client(W | watch.WAITCREATE).root(1).root(2)
    client.answer(found(make_val(b"3"), 3)).answer(missing(2))
    assert client.told == [make_val(b"3")]


@pytest.mark.parametrize("flags", [0, watch.WAITCREATE])
def test_without_watch_one_answer_is_all(flags: int) -> None:
    client = begun(flags, make_val(b"1"))
    assert client.told == [make_val(b"1")]
    assert client.watcher.finished


def test_a_lookup_that_fails_ends_it_with_its_errno() -> None:
    client = Client(W).root(1).root(2)
    client.answer(OSError(errno.EISDIR, "")).answer(found(make_val(b"1"), 2))
    assert client.told == [errno.EISDIR]


def test_ending_it_twice_tells_once() -> None:
    client = begun(W, make_val(b"1")).root(2)
    client.take(client.watcher.end(errno.ENODATA)).take(client.watcher.end(errno.ENOTSUP))
    client.answer(found(make_val(b"2"), 2))
    assert client.told == [make_val(b"1"), errno.ENODATA]


# -- appends -------------------------------------------------------------------------------

A = W | watch.WATCH_APPEND


def test_each_piece_is_told_once_and_in_order() -> None:
    client = begun(A, make_valref(REFS[:2]))
    assert client.told == []
    client.root(2).answer(found(make_valref(REFS[:4]), 2))
    assert [load.ref for load in client.loads] == REFS[:4]
    for which, value in ((3, b"3"), (1, b"1"), (0, b"0"), (0, b"2")):
        client.load(value, which)
    assert client.told == [make_val(b"%d" % n) for n in range(4)]


def test_the_lookup_asks_for_the_tree_object() -> None:
    client = Client(A).root(1)
    assert client.lookups[0].flags == A | 16


def test_a_value_in_its_directory_is_the_first_piece() -> None:
    client = begun(A, make_val(b"0"))
    assert client.told == [make_val(b"0")]
    client.root(2).answer(found(make_valref(REFS[:2]), 2)).load(b"1")
    assert client.told == [make_val(b"0"), make_val(b"1")]


def test_a_commit_that_appends_nothing_tells_nothing() -> None:
    client = begun(A, make_valref(REFS[:1])).load(b"0")
    client.root(2).answer(found(make_valref(REFS[:1]), 2))
    assert (client.told, client.loads) == ([make_val(b"0")], [])


@pytest.mark.parametrize(
    ("val", "text"),
    [
        (make_val(b"new"), "value of key watched with WATCH_APPEND overwritten"),
        (make_dirref(REFS[0]), "value of key watched with WATCH_APPEND overwritten"),
        (make_valref(REFS[:1]), "key watched with WATCH_APPEND shortened"),
    ],
)
def test_what_is_no_append_ends_it(val: object, text: str) -> None:
    client = begun(A, make_valref(REFS[:2])).load(b"0").load(b"1")
    client.root(2).answer(found(val, 2))
    assert client.told[2:] == [(errno.EINVAL, text)]


def test_truncated_before_anything_was_told() -> None:
    client = begun(A, make_valref(REFS[:2])).root(2).answer(found(make_valref(REFS[:1]), 2))
    assert client.told == [(errno.EINVAL, "key watched with WATCH_APPEND truncated")]
    assert client.load(b"0").told[1:] == []


@pytest.mark.parametrize(
    ("flags", "val", "told"),
    [
        (A, make_dirref(REFS[0]), (21, "dirref cannot be watched with WATCH_APPEND")),
        (A, make_symlink("b"), (22, "symlink cannot be watched with WATCH_APPEND")),
        (watch.STREAM, make_dirref(REFS[0]), (21, "dirref cannot be streamed")),
        (watch.STREAM, make_symlink("b"), (22, "symlink cannot be streamed")),
    ],
)
def test_what_has_no_pieces(flags: int, val: object, told: object) -> None:
    assert begun(flags, val).told == [told]


def test_a_piece_that_cannot_be_loaded_ends_it() -> None:
    client = begun(A, make_valref(REFS[:2])).load(OSError(errno.ENOENT, ""))
    assert client.told == [(errno.ENOENT, "failed to load content data")]


# -- the sentinel --------------------------------------------------------------------------

S = A | watch.INITIAL_SENTINEL


def test_the_sentinel_comes_after_what_was_there_at_first() -> None:
    client = begun(S, make_valref(REFS[:2]))
    client.root(2).answer(found(make_valref(REFS[:3]), 2))
    for value in (b"0", b"1", b"2"):
        client.load(value)
    assert client.told == [make_val(b"0"), make_val(b"1"), None, make_val(b"2")]


def test_the_sentinel_after_a_value_in_its_directory() -> None:
    assert begun(S, make_val(b"0")).told == [make_val(b"0"), None]


def test_the_sentinel_when_nothing_is_there_yet() -> None:
    client = begun(S | watch.WAITCREATE, None)
    assert client.told == [None]
    client.root(2).answer(found(make_val(b"0"), 2))
    assert client.told == [None, make_val(b"0")]


# -- streams -------------------------------------------------------------------------------


def test_a_stream_tells_the_pieces_and_ends() -> None:
    client = begun(watch.STREAM, make_valref(REFS[:2]))
    client.root(2).answer(found(make_valref(REFS[:3]), 2)).load(b"0").load(b"1")
    assert client.told == [make_val(b"0"), make_val(b"1"), errno.ENODATA]


def test_a_stream_of_a_value_in_its_directory() -> None:
    assert begun(watch.STREAM, make_val(b"0")).told == [make_val(b"0"), errno.ENODATA]


def test_a_stream_does_not_care_for_later_commits() -> None:
    client = begun(watch.STREAM, make_valref(REFS[:1]))
    client.root(2).answer(found(make_val(b"other"), 2)).load(b"0")
    assert client.told == [make_val(b"0"), errno.ENODATA]
