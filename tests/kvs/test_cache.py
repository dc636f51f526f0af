import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fluxcore.kvs.cache import Cache

KEYS = st.integers(0, 6)


class CacheAgainstModel(RuleBasedStateMachine):
    """A list of [key, value, size, holds, used], the least recently used first."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Cache[int, str] = Cache()
        self.model: list[list] = []

    def find(self, key: int) -> list | None:
        return next((entry for entry in self.model if entry[0] == key), None)

    @rule(key=KEYS, value=st.text(max_size=2), size=st.integers(0, 9))
    def add(self, key: int, value: str, size: int) -> None:
        self.cache.add(key, value, size)
        old = self.find(key)
        if old is not None:
            self.model.remove(old)
        self.model.append([key, value, size, old[3] if old else 0, self.cache.now])

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        entry = self.find(key)
        assert self.cache.get(key) == (entry[1] if entry else None)
        assert (key in self.cache) == (entry is not None)
        if entry is not None:
            entry[4] = self.cache.now
            self.model.remove(entry)
            self.model.append(entry)

    @rule(key=KEYS)
    def hold(self, key: int) -> None:
        entry = self.find(key)
        if entry is None:
            with pytest.raises(KeyError):
                self.cache.hold(key)
        else:
            self.cache.hold(key)
            entry[3] += 1

    @precondition(lambda self: self.cache.held)
    @rule(pick=st.integers(0, 9))
    def release(self, pick: int) -> None:
        held = [entry for entry in self.model if entry[3]]
        entry = held[pick % len(held)]
        self.cache.release(entry[0])
        entry[3] -= 1
        if not entry[3]:
            entry[4] = self.cache.now
            self.model.remove(entry)
            self.model.append(entry)

    @rule(key=KEYS)
    def discard(self, key: int) -> None:
        self.cache.discard(key)
        entry = self.find(key)
        if entry is not None and not entry[3]:
            self.model.remove(entry)

    @rule()
    def pass_time(self) -> None:
        self.cache.now += 1

    @rule(most=st.integers(0, 30), age=st.none() | st.integers(0, 3))
    def trim(self, most: int, age: int | None) -> None:
        since = None if age is None else self.cache.now - age
        count = 0
        for entry in [entry for entry in self.model if not entry[3]]:
            if sum(e[2] for e in self.model) <= most:
                break
            if since is not None and entry[4] > since:
                break
            self.model.remove(entry)
            count += 1
        assert self.cache.trim(most, since) == count

    @invariant()
    def same(self) -> None:
        self.cache.validate_state()
        assert self.cache.size == sum(entry[2] for entry in self.model)
        assert len(self.cache) == len(self.model)
        assert self.cache.held == sum(1 for entry in self.model if entry[3])
        assert sorted(self.cache) == sorted(entry[1] for entry in self.model)


TestCacheAgainstModel = pytest.mark.slow(CacheAgainstModel.TestCase)
TestCacheAgainstModel.settings = settings(max_examples=100, deadline=None)
