"""``flux version``."""

import os
from typing import Final

from fluxcore import __version__
from fluxcore.cli.command import Command
from fluxcore.cli.options import Parsed


def version(_parsed: Parsed) -> None:
    """Print the version of the commands and, inside an instance, that of its broker."""
    print(f"commands:    \t\t{__version__}")
    uri = os.environ.get("FLUX_URI")
    if not uri:
        return
    from fluxcore.cli.connect import connect

    with connect() as flux:
        print(f"broker:  \t\t{flux.attr('version')}")
    print(f"FLUX_URI:\t\t{uri}")


VERSION: Final = Command("flux version", "", "Show versions", version)
