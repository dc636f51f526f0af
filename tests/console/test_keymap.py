import pytest

from fluxtop.keymap import KeymapError, load


def test_without_a_file_the_keys_are_the_tables(tmp_path):
    assert load(tmp_path / "keys.toml") == {}


def test_keys_are_mapped_by_action(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text('[keys]\n"modules.reload" = "ctrl+r"\n"jobs.new" = ["n", "insert"]\n')
    assert load(path) == {"modules.reload": "ctrl+r", "jobs.new": "n,insert"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[keys]\n"nosuch.action" = "x"\n', "there is no action nosuch.action"),
        ('[keys]\n"modules.reload" = 1\n', "modules.reload: its keys must be"),
        ('[keys]\n"modules.reload" = []\n', "modules.reload: its keys must be"),
        ('[keys]\n"modules.reload" = ["a,b"]\n', "'a,b' is not a key"),
        ("keys = 1\n", "keys is not a table"),
        ("[keys\n", "keys.toml: "),
    ],
)
def test_a_mistake_is_told_with_the_file(tmp_path, text, why):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(KeymapError, match=r"keys\.toml") as caught:
        load(path)
    assert why in str(caught.value)
