from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fluxtop.data.rows import Rows


@dataclass(frozen=True)
class Row:
    key: int
    weight: int


ROWS = st.builds(Row, st.integers(0, 20), st.integers(0, 5))
ORDERS = {
    "key": lambda row: row.key,
    "weight": lambda row: row.weight,
    "name": lambda row: str(row.key),
}


class RowsMachine(RuleBasedStateMachine):
    """Rows against a dictionary that is sorted and filtered anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Rows[int, Row] = Rows(lambda row: row.key)
        self.model: dict[int, Row] = {}
        self.order = "key"
        self.reverse = False
        self.least = 0

    @rule(row=ROWS)
    def put(self, row):
        assert self.rows.put(row) == (self.model.get(row.key) != row)
        self.model[row.key] = row

    @rule(key=st.integers(0, 20))
    def discard(self, key):
        assert self.rows.discard(key) == (key in self.model)
        self.model.pop(key, None)

    @rule(rows=st.lists(ROWS, max_size=200))
    def replace(self, rows):
        self.rows.replace(rows)
        self.model = {row.key: row for row in rows}

    @rule(order=st.sampled_from(sorted(ORDERS)), reverse=st.booleans())
    def sort(self, order, reverse):
        self.order, self.reverse = order, reverse
        self.rows.sort(ORDERS[order], reverse=reverse)

    @rule(least=st.integers(0, 5))
    def filter(self, least):
        self.least = least
        self.rows.filter((lambda row: row.weight >= least) if least else None)

    @rule()
    def clear(self):
        self.rows.clear()
        self.model.clear()

    @invariant()
    def agrees(self):
        self.rows.validate_state()
        kept = [row for row in self.model.values() if row.weight >= self.least]
        order = ORDERS[self.order]
        kept.sort(key=lambda row: (order(row), row.key), reverse=self.reverse)
        assert list(self.rows) == kept
        assert len(self.rows) == len(kept)
        assert self.rows.total == len(self.model)
        for at, row in enumerate(kept):
            assert self.rows[at] == row
            assert self.rows.index(row.key) == at
        for key in self.model.keys() - {row.key for row in kept}:
            assert self.rows.index(key) is None


TestRows = pytest.mark.slow(RowsMachine.TestCase)
