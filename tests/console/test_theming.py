import re

import pytest

from fluxtop.cells import ROLES
from fluxtop.places import themes_folder
from fluxtop.theming import DEFAULT, ThemeError, load, load_all

DRAWN = {*ROLES, "heading", "cursor", "cursor-off", "fault"} - {"plain"}
SHEET = (themes_folder() / "fluxtop.tcss").read_text()
TEXTUALS = {"background", "foreground", "surface", "panel"}


def themes():
    return load_all([themes_folder()])


def test_there_are_a_dark_and_a_light_one_and_the_default_is_among_them():
    assert DEFAULT in themes()
    assert {theme.dark for theme in themes().values()} == {True, False}


@pytest.mark.parametrize("name", sorted(themes()))
def test_a_theme_of_ours_has_every_variable_of_the_style_sheet(name):
    used = DRAWN | set(re.findall(r"\$([a-z-]+)", SHEET)) - TEXTUALS
    assert used <= set(themes()[name].variables)


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2: from 1 to 21."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lights = sorted((luminance(one), luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


@pytest.mark.parametrize("name", sorted(themes()))
@pytest.mark.parametrize("role", ["good", "warn", "bad", "info", "key", "strong"])
@pytest.mark.parametrize("behind", ["background", "cursor", "bar"])
def test_words_can_be_read_on_what_is_behind_them(name, role, behind):
    theme = themes()[name]
    color = theme.variables.get(behind) or getattr(theme, behind)
    assert contrast(theme.variables[role], color) >= 4.5


@pytest.mark.parametrize("name", sorted(themes()))
def test_asides_can_be_read_too(name):
    theme = themes()[name]
    assert contrast(theme.variables["dim"], theme.background) >= 3.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[colors]\n", "no primary color"),
        ('[colors]\nprimary = "red"\nnosuch = "x"\n', "unknown colors nosuch"),
        ("[colors\n", "mine.toml"),
    ],
)
def test_a_broken_theme_is_told(tmp_path, text, why):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ThemeError, match=why):
        load(path)


def test_a_users_theme_hides_ours(tmp_path):
    (tmp_path / f"{DEFAULT}.toml").write_text('[colors]\nprimary = "#123456"\n')
    assert load_all([themes_folder(), tmp_path])[DEFAULT].primary == "#123456"
