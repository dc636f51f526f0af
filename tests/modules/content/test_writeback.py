import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.modules.content.writeback import WriteBack

FATES = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@pytest.mark.slow
@given(FATES, st.integers(1, 4), st.booleans())
def test_everything_is_written_and_never_more_than_the_limit_at_once(
    failures: list[int], limit: int, at_once: bool
) -> None:
    """Each blob fails as often as its number says, at once or later."""
    left = {b"%d" % n: count for n, count in enumerate(failures)}
    on_their_way: list[bytes] = []
    writes: list[bytes] = []
    told: list[int] = []

    def answer(digests: list[bytes]) -> None:
        """Those that fail now and those that do not, in two answers."""
        bad = [digest for digest in digests if left[digest] > 0]
        good = [digest for digest in digests if left[digest] == 0]
        for digest in digests:
            left[digest] -= 1
        for some, errnum in ((bad, errno.EIO), (good, 0)):
            if some:
                dirty.stored(some, errnum)

    def store(digests: list[bytes]) -> None:
        writes.extend(digests)
        if at_once:
            answer(digests)
        else:
            on_their_way.extend(digests)
        assert len(digests) <= limit
        assert len(on_their_way) <= limit

    dirty = WriteBack(store, limit)
    for digest in left:
        dirty.add(digest)
    dirty.pump()
    assert writes == []
    dirty.active = True
    while len(dirty):
        before = len(told)
        dirty.flush(told.append)
        while on_their_way:
            answer([on_their_way.pop(0)])
        assert len(told) == before + 1
    assert told == [errno.EIO] * max(failures) + [0]
    assert sorted(writes) == sorted(d for d in left for _ in range(failures[int(d)] + 1))
    assert dirty.in_flight == 0


def test_a_flush_of_nothing_is_done_and_without_a_store_impossible() -> None:
    told: list[int] = []
    dirty = WriteBack(lambda _digests: None)
    dirty.flush(told.append)
    dirty.active = True
    dirty.flush(told.append)
    dirty.add(b"1")
    dirty.flush(told.append)
    dirty.stop()
    assert told == [errno.ENOSYS, 0, errno.ENOSYS]


def test_a_flush_does_not_wait_for_what_comes_after_it() -> None:
    """In a busy instance there is always something dirty."""
    told: list[str] = []
    dirty = WriteBack(lambda _digests: None)
    dirty.active = True

    def flush(name: str) -> None:
        dirty.flush(lambda errnum: told.append(f"{name} {errnum}"))

    for digest in (b"1", b"2"):
        dirty.add(digest)
    flush("two")
    dirty.add(b"3")
    flush("three")
    dirty.add(b"4")
    dirty.stored([b"3"], 0)
    dirty.stored([b"1"], 0)
    assert told == []
    dirty.stored([b"2"], 0)
    assert told == ["two 0", "three 0"]
    flush("four")
    dirty.add(b"5")
    flush("five")
    dirty.stored([b"5"], 0)
    assert told == ["two 0", "three 0"]
    dirty.stored([b"4"], 0)
    assert told == ["two 0", "three 0", "four 0", "five 0"]
