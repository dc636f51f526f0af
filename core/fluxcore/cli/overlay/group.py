"""``flux overlay``."""

from typing import Final

from fluxcore.cli.command import Group

OVERLAY: Final = Group(
    "flux overlay",
    "The tree of brokers",
    "flux overlay subcommands",
    {
        "status": ("fluxcore.cli.overlay.status:STATUS", "Show the health of brokers as a tree"),
        "lookup": (
            "fluxcore.cli.overlay.lookup:LOOKUP",
            "Turn ranks into hosts, or hosts into ranks",
        ),
        "parentof": ("fluxcore.cli.overlay.lookup:PARENTOF", "Print the rank above a rank"),
    },
)
