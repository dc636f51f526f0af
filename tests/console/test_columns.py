from hypothesis import given
from hypothesis import strategies as st

from fluxtop.cells import ROLES, clean, crop, pad, plain_text, width_of
from fluxtop.columns import GAP, Column, fit

COLUMNS = st.lists(
    st.builds(
        Column,
        st.uuids().map(str),
        st.just("T"),
        st.integers(1, 20),
        st.integers(0, 3),
        st.just("left"),
        st.integers(0, 3),
    ),
    max_size=8,
)
SPANS = st.lists(st.tuples(st.text(max_size=12), st.sampled_from(ROLES)), max_size=5)


@given(COLUMNS, st.integers(0, 200))
def test_columns_fit_unless_those_that_must_stay_do_not(columns, width):
    fitted = fit(columns, width)
    kept = [column for column, _ in fitted]
    assert [c for c in columns if c in kept] == kept
    assert all(column in kept for column in columns if not column.drop)
    assert all(size >= column.width for column, size in fitted)
    used = sum(size for _, size in fitted) + GAP * max(len(fitted) - 1, 0)
    if any(column.drop for column in kept):
        assert used <= width
    if any(column.flex for column in kept) and used >= width:
        assert used == max(width, sum(c.width for c in kept) + GAP * (len(kept) - 1))


def test_what_is_dropped_first_goes_together():
    columns = [
        Column("a", "A", 10),
        Column("b", "B", 5, drop=1),
        Column("c", "C", 5, drop=2),
        Column("d", "D", 5, drop=2),
    ]
    assert [column.id for column, _ in fit(columns, 27)] == ["a", "b"]
    assert [column.id for column, _ in fit(columns, 28)] == ["a", "b", "c", "d"]


def test_what_is_left_over_is_shared_out():
    columns = [Column("a", "A", 10, flex=1), Column("b", "B", 5), Column("c", "C", 5, flex=2)]
    assert [size for _, size in fit(columns, 52)] == [20, 5, 25]


@given(SPANS, st.integers(0, 40))
def test_cropped_spans_take_no_more_than_their_width(spans, width):
    cropped = crop(spans, width, "…")
    assert width_of(cropped) <= width
    assert all(c.isprintable() or c == "\u200d" for c in plain_text(cropped))


@given(SPANS, st.integers(1, 40), st.sampled_from(["left", "right"]))
def test_padded_spans_take_exactly_their_width(spans, width, align):
    assert width_of(pad(spans, width, "…", align)) == width


def test_what_is_cut_off_is_marked():
    assert plain_text(crop([("hello ", "plain"), ("world", "dim")], 8, "…")) == "hello w…"
    assert plain_text(pad([("7", "plain")], 3, "…", "right")) == "  7"


def test_nothing_in_a_text_drives_the_terminal():
    assert clean("a\x1b[2J\u202eb\x9bc") == "a·[2J·b·c"
    assert clean("🥔️🍠️ ƒ é") == "🥔️🍠️ ƒ é"
