import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.errors import CommandError
from fluxcore.cli.jobs.command import make_table
from fluxcore.cli.jobs.formats import FORMATS, find_format, list_formats
from fluxcore.cli.jobs.table import Table, cut, sort_value, widened

ROWS = [
    {"id": 3, "name": "hostname", "queue": "", "user": "root"},
    {"id": 1, "name": "sh", "queue": "", "user": "fluxuser17"},
    {"id": 2, "name": "", "queue": "", "user": "u"},
]


def heading(name: str) -> str:
    if name not in ROWS[0]:
        raise ValueError(f"Unknown format field: {name}")
    return name.upper()


def table(text: str) -> Table:
    return Table(text, heading, lambda row, name: row[name])


def show(text: str, *, rows=ROWS, header: bool = True) -> list[str]:
    made = table(text)
    made.fit(rows, header=header)
    lines = [made.line(row) for row in made.sort(rows)]
    return [made.header(), *lines] if header else lines


def test_a_table_has_headings_as_wide_as_its_columns():
    assert show("{id:>4} {name:<5.5+}|{user!s:^6.3}") == [
        "  ID NAME | USER ",
        "   3 host+| roo  ",
        "   1 sh   | flu  ",
        "   2      |  u   ",
    ]


def test_a_column_that_is_empty_everywhere_can_be_left_out():
    assert show("{id} ?:{queue:<8} {user}") == ["ID USER", "3 root", "1 fluxuser17", "2 u"]
    assert show("{id} ?:{name:<3} {user}")[1:] == ["3 hostname root", "1 sh  fluxuser17", "2     u"]


def test_a_column_can_grow_with_its_values():
    assert show("+:{user:<8.8} {id}") == [
        "USER       ID",
        "root       3",
        "fluxuser17 1",
        "u          2",
    ]
    assert show("+:{id:>1} x") == ["ID x", " 3 x", " 1 x", " 2 x"]
    assert show("+:{id:>1} x", header=False) == ["3 x", "1 x", "2 x"]


def test_both_can_be_asked_for():
    assert show("?+:{queue:<3}{id}") == ["ID", "3", "1", "2"]
    assert show("?+:{name:<3} {id}")[1] == "hostname 3"


def test_rows_are_sorted_by_several_fields():
    assert show("sort:user {user}", header=False) == ["fluxuser17", "root", "u"]
    assert show("sort:-id,user{id}", header=False) == ["3", "2", "1"]
    assert show("{id}", header=False) == ["3", "1", "2"]


def test_braces_may_be_doubled_for_text():
    assert show("{{x}} {id}", header=False)[0] == "{x} 3"


@pytest.mark.parametrize("text", ["{nosuch}", "{id", "sort:nosuch {id}"])
def test_a_format_with_a_fault_is_refused(text):
    with pytest.raises(ValueError):
        table(text)


def test_the_fields_are_those_shown_and_sorted_by():
    assert table("sort:-name {id} {user:>3}").fields == ["id", "user", "name"]


@pytest.mark.parametrize(
    ("spec", "width", "expected"),
    [("<8.8", 12, "<12.12"), (">4", 2, ">4"), ("<8.8+", 10, "<10.10+"), (">6h", 9, ">9h")],
)
def test_a_widened_column_shows_as_much_as_it_is_wide(spec, width, expected):
    assert widened(spec, width) == expected


def test_values_of_any_kind_have_an_order():
    values = ["b", "", 3, "10", None, 2.5, "-", "a", True]
    assert sorted(values, key=sort_value) == ["", None, "-", True, 2.5, 3, "10", "a", "b"]


@given(st.text("abc", max_size=30), st.integers(0, 40))
def test_a_cut_line_fits_and_says_that_it_was_cut(line, width):
    shown = cut(line, width)
    if width == 0 or len(line) <= width:
        assert shown == line
    else:
        assert len(shown) == width
        assert shown[-1] == "+"
        assert line.startswith(shown[:-1])


# -- named formats --------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_named_format_is_sound(name):
    made = make_table(name)
    made.fit([], header=True)
    assert "JOBID" in made.header()
    assert name in list_formats()


def test_the_default_has_flux_cores_columns():
    made = make_table("default")
    made.fit([], header=True)
    assert made.header() == "       JOBID USER     NAME       ST NTASKS NNODES     TIME INFO"


def test_the_environment_may_name_another_default():
    environ = {"FLUX_JOBS_FORMAT_DEFAULT": "long"}
    assert find_format("default", environ) == FORMATS["long"][1]
    assert find_format("default", {"FLUX_JOBS_FORMAT_DEFAULT": "{id}"}) == "{id}"
    assert find_format("{name}", environ) == "{name}"


@pytest.mark.parametrize(
    ("name", "keys", "text"),
    [
        ("zz", "", "--format: No such format zz (Did you mean '{zz}'?)"),
        ("{zz}", "", "Error in user format: Unknown format field: zz"),
        ("{id}", "zz", "Invalid sort key: zz"),
    ],
)
def test_a_format_that_is_none_is_named(name, keys, text):
    with pytest.raises(CommandError) as caught:
        make_table(name, keys)
    assert caught.value.text == text
