import pytest

from fluxcore.cli.errors import BadOptionError, CommandError
from fluxcore.cli.module.debug import parse_mask
from fluxcore.cli.module.list import format_modules
from fluxcore.cli.module.load import canonical
from fluxcore.cli.module.stats import format_value, walk


def module(name, idle=0, status=1, services=(), path="builtin"):
    return {
        "name": name,
        "path": path,
        "idle": idle,
        "status": status,
        "services": [name, *services],
        "sendqueue": 2,
        "recvqueue": 13,
    }


MODULES = [
    module("job-exec", idle=100),
    module("heartbeat", idle=1),
    module("sched-fluxion-resource", idle=99),
    module("content-sqlite", idle=1000, services=["content-backing"], path="/lib/c.so"),
    module("sched-simple", services=["feasibility", "sched"], status=0),
    module("a-name-that-is-longer-than-its-column", status=7),
]


def test_the_columns_are_those_of_the_tutorial():
    assert list(format_modules(MODULES)) == [
        "Module                   Idle  S Service",
        "job-exec                 idle  R ",
        "heartbeat                   1  R ",
        "sched-fluxion-resource     99  R ",
        "content-sqlite           idle  R content-backing",
        "sched-simple                0  I feasibility,sched",
        "a-name-that-is-longer-th    0  ? ",
    ]


def test_in_full_there_are_queues_and_paths_as_flux_core_has_them():
    assert list(format_modules(MODULES[3:5], long=True)) == [
        "Module                    Idle  S Sendq Recvq Service  Path",
        "content-sqlite            idle  R     2    13 content+ /lib/c.so",
        "sched-simple                 0  I     2    13 feasibi+ builtin",
    ]


@pytest.mark.parametrize("status", range(4))
def test_each_state_has_a_letter(status):
    line = list(format_modules([module("m", status=status)]))[1]
    assert line.split() == ["m", "0", "IRFX"[status]]


def test_an_answer_that_is_no_list_of_modules_is_a_protocol_error():
    with pytest.raises(OSError, match="Protocol error"):
        list(format_modules([{"name": "x"}]))


@pytest.mark.parametrize(
    ("value", "kind", "scale", "text"),
    [
        (3, None, 1.0, "3"),
        (3, None, 2.5, "7"),
        (3, "double", 1.0, "3"),
        (1.5, None, 1.0, "1.500000"),
        (1.5, "int", 2.0, "3"),
        ({"a": [1, {}]}, None, 1.0, '{\n "a": [\n  1,\n  {}\n ]\n}'),
        ("text", "int", 1.0, "0"),
        ("ƒ", None, 1.0, '"ƒ"'),
        (True, None, 1.0, "true"),
    ],
)
def test_numbers_are_scaled_and_the_rest_is_json(value, kind, scale, text):
    assert format_value(value, kind, scale) == text


def test_a_path_leads_through_objects():
    assert walk({"a": {"b c": {"#d": 1}}}, "a.b c.#d") == 1
    for path in ("a.x", "a.b c.#d.e", "x"):
        with pytest.raises(CommandError) as caught:
            walk({"a": {"b c": {"#d": 1}}}, path)
        assert caught.value.text == f"`{path}' not found in response"


@pytest.mark.parametrize(
    ("text", "mask"), [("16", 16), ("0x10", 16), ("010", 8), ("0", 0), ("-1", -1)]
)
def test_a_mask_may_be_written_as_in_c(text, mask):
    assert parse_mask("set", text) == mask


def test_what_is_no_mask_is_refused():
    with pytest.raises(BadOptionError):
        parse_mask("set", "zz")


def test_a_path_is_made_whole_and_a_name_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").touch()
    assert canonical("heartbeat") == "heartbeat"
    assert canonical("./m.py") == str((tmp_path / "m.py").resolve())
    with pytest.raises(CommandError, match=r"could not canonicalize module path '\./x'"):
        canonical("./x")
