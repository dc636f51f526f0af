"""A command's connection to its broker."""

from fluxcore.cli.errors import CommandError
from fluxcore.handle.blocking import Flux


def connect() -> Flux:
    """A handle for the broker at FLUX_URI.

    :raises CommandError: there is none, or it does not let us in
    """
    try:
        return Flux()
    except OSError as exc:
        raise CommandError(f"Unable to connect to Flux: {exc.strerror or exc}") from None
