import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxtop.actions import PANES
from fluxtop.layout import BOTTOM, DETAIL, LEFT, MIDDLE, arrange

SIZES = {"width": st.integers(20, 400), "height": st.integers(5, 120)}


def panes(*args, **kwargs) -> set[str]:
    return set(arrange(*args, **kwargs).panes)


@pytest.mark.parametrize(("width", "height"), [(60, 15), (79, 60), (200, 19)])
def test_a_small_terminal_shows_one_pane_and_names_the_others(width, height):
    arrangement = arrange(width, height, "kvs")
    assert arrangement.panes == {"kvs"}
    assert arrangement.strip


def test_a_middling_terminal_shows_all_lists():
    assert panes(80, 24, "tbon") == {*LEFT, *MIDDLE, *BOTTOM}
    assert panes(80, 22, "tbon") == {*LEFT, *MIDDLE}


def test_what_is_opened_takes_the_place_of_modules_and_jobs():
    assert panes(120, 40, "value", opened="value") == {*LEFT, "value", *BOTTOM}
    assert panes(120, 40, "kvs", opened="value") == {*LEFT, "value", *BOTTOM}
    assert panes(120, 40, "jobs", opened="value") == {*LEFT, *MIDDLE, *BOTTOM}


def test_a_wide_terminal_shows_everything():
    assert panes(200, 60, "job", opened="job") == {*LEFT, *MIDDLE, *BOTTOM, "job"}


def test_a_zoomed_pane_has_the_screen():
    assert panes(300, 90, "log", zoomed=True) == {"log"}


@given(
    **SIZES,
    focus=st.sampled_from(list(PANES)),
    zoomed=st.booleans(),
    opened=st.sampled_from([None, *DETAIL]),
)
def test_the_pane_that_the_user_is_in_is_always_shown(width, height, focus, zoomed, opened):
    if focus in DETAIL:
        opened = focus
    shown = arrange(width, height, focus, zoomed=zoomed, opened=opened)
    alone = shown.strip
    assert focus in shown.panes or (focus in BOTTOM and height < 24 and not alone)
    assert shown.panes <= set(PANES)
