"""Where the console keeps its files: settings, state, and its own themes."""

from pathlib import Path

import platformdirs


def settings_folder() -> Path:
    """Where a user's keymap and themes are: ``~/.config/fluxtop`` and its like."""
    return platformdirs.user_config_path("fluxtop")


def state_folder() -> Path:
    """Where drafts are kept: ``~/.local/state/fluxtop`` and its like."""
    return platformdirs.user_state_path("fluxtop")


def themes_folder() -> Path:
    """Where the themes and the style sheet are: beside the package, or in the checkout.

    :raises FileNotFoundError: in neither; the installation is broken
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "themes", package.parents[1] / "themes"):
        if (folder / "fluxtop.tcss").is_file():
            return folder
    raise FileNotFoundError(f"no themes beside {package}")
