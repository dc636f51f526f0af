"""``flux module``."""

from typing import Final

from fluxcore.cli.command import Group

MODULE: Final = Group(
    "flux-module",
    "",
    "flux module subcommands",
    {
        "list": ("fluxcore.cli.module.list:LIST", "List loaded modules"),
        "remove": ("fluxcore.cli.module.load:REMOVE", "Unload module"),
        "load": ("fluxcore.cli.module.load:LOAD", "Load module"),
        "reload": ("fluxcore.cli.module.load:RELOAD", "Reload module"),
        "stats": ("fluxcore.cli.module.stats:STATS", "Display stats on module"),
        "debug": ("fluxcore.cli.module.debug:DEBUG", "Get/set module debug flags"),
    },
)
