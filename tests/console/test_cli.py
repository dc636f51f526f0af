import subprocess
import sys

import pytest

from fluxtop import cli


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """A terminal, but no instance and no settings of the user's."""
    monkeypatch.setattr(cli, "what_the_terminal_lacks", lambda: "")
    for name in ("FLUX_URI", "FLUXTOP_FLUX", "FLUXTOP_THEME", "FLUXTOP_ASCII"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_version_and_help(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("fluxtop ")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for option in ("--test-size", "--read-only", "--theme", "--ascii", "--flux", "URI"):
        assert option in text


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["local:///nosuch/local-0"], "broker socket /nosuch/local-0 was not found"),
        (["nosuch://x"], "nosuch://x: not a local:// URI"),
        (["--test-size", "0"], "--test-size 0: an instance has at least one broker"),
        (["local:///x", "--test-size", "2"], "a URI and --test-size exclude each other"),
        (["--flux", "/nosuch/flux"], "/nosuch/flux: No such file or directory"),
    ],
)
def test_a_mistake_is_told_before_the_screen_is_taken(capsys, argv, why):
    assert cli.main(argv) == 1
    assert capsys.readouterr().err == f"fluxtop: {why}\n"


def test_without_a_terminal_it_says_so(capsys, monkeypatch):
    monkeypatch.undo()
    assert cli.main(["--test-size", "1"]) == 1
    assert capsys.readouterr().err == "fluxtop: it needs a terminal for input and output\n"


def test_on_a_dumb_terminal_it_says_so(capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert cli.main(["--test-size", "1"]) == 1
    assert "can place a cursor, and TERM says dumb" in capsys.readouterr().err


def test_a_theme_that_is_not_there_is_told(capsys, tmp_path):
    socket = tmp_path / "local-0"
    socket.touch()
    assert cli.main([f"local://{socket}", "--theme", "nosuch"]) == 1
    assert "no theme nosuch; there are fluxtop-dark, fluxtop-light" in capsys.readouterr().err


def test_a_keymap_with_a_mistake_is_told(capsys, tmp_path):
    settings = tmp_path / "config" / "fluxtop"
    settings.mkdir(parents=True)
    (settings / "keys.toml").write_text('[keys]\n"nosuch" = "x"\n')
    socket = tmp_path / "local-0"
    socket.touch()
    assert cli.main([f"local://{socket}"]) == 1
    assert "keys.toml: there is no action nosuch" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("fluxtop.cli", ("textual", "rich", "yaml")),
        ("fluxtop.app", ("tree_sitter", "yaml", "textual.widgets._text_area", "zmq")),
        ("fluxtop.data.session", ("textual", "rich")),
    ],
)
def test_what_is_imported_at_the_start_is_no_more_than_is_needed(module, never):
    code = f"import sys, {module}; print([m for m in {never!r} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert out.stdout == "[]\n"
