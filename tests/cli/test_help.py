from hypothesis import given
from hypothesis import strategies as st

from fluxcore.cli.help import format_commands, format_options, terminal_columns
from fluxcore.cli.options import Option


def test_options_stand_in_two_columns_as_flux_core_has_them():
    table = [
        Option("help", "h", doc="Display this message."),
        Option("rank", "r", "RANK", "ping the service on this rank"),
        Option("summary", doc="show only the state of the whole"),
    ]
    assert format_options(table) == (
        "  -h, --help             Display this message.\n"
        "  -r, --rank=RANK        ping the service on this rank\n"
        "      --summary          show only the state of the whole\n"
    )


def test_a_long_option_has_its_text_on_the_next_line():
    option = Option("stdin-ranks", "i", "RANKS", "send input only to these tasks")
    assert format_options([option]) == (
        "  -i, --stdin-ranks=RANKS\n                         send input only to these tasks\n"
    )


def test_commands_are_listed_under_a_heading():
    assert format_commands("flux module subcommands", [("list", "List loaded modules")]) == (
        "flux module subcommands:\n   list            List loaded modules\n"
    )


def test_help_is_as_wide_as_the_environment_says_within_reason(monkeypatch):
    for text, columns in [("100", 100), ("16", 80), ("256", 80), ("x", 80), ("", 80)]:
        monkeypatch.setenv("COLUMNS", text)
        assert terminal_columns() == columns


@given(st.lists(st.text("abcdef", min_size=1, max_size=12), max_size=30), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(words, columns):
    text = format_options([Option("name", "n", doc=" ".join(words))], columns=columns)
    assert all(len(line) <= columns for line in text.splitlines())
    assert text.split()[2:] == words
