"""``flux job info`` (CONTRACTS D11, D18)."""

from typing import Final

from fluxcore.cli.command import Command
from fluxcore.cli.connect import connect
from fluxcore.cli.errors import CommandError, UsageError
from fluxcore.cli.job.ids import parse_id
from fluxcore.cli.options import Option, Parsed
from fluxcore.handle.blocking import Flux
from fluxcore.job.sign import unwrap
from fluxcore.wire.payload import need_str

#: Flag of job-info.lookup: apply the updates that the eventlog has.
_CURRENT: Final = 2
#: What events update.
_UPDATED: Final = ("R", "jobspec")


def info(parsed: Parsed) -> None:
    """Print a key of a job."""
    if len(parsed.args) != 2:
        raise UsageError
    jobid, key = parse_id(parsed.args[0]), parsed.args[1]
    with connect() as flux:
        if "original" in parsed and key == "jobspec":
            print(_unwrapped(look_up(flux, jobid, "J")))
        else:
            current = "base" not in parsed and key in _UPDATED
            print(look_up(flux, jobid, key, _CURRENT if current else 0))


def look_up(flux: Flux, jobid: int, key: str, flags: int = 0) -> str:
    """What is recorded under ``key`` of a job.

    :raises OSError: ENOENT if there is no such job or key, EPERM if it is another user's
    """
    payload = {"id": jobid, "keys": [key], "flags": flags}
    return need_str(flux.rpc("job-info.lookup", payload).json, key)


def _unwrapped(signed: str) -> str:
    try:
        return unwrap(signed)[0].decode()
    except OSError as exc:
        raise CommandError(f"Failed to unwrap J to get jobspec: {exc.strerror}") from None


INFO: Final = Command(
    "flux-job info",
    "id key",
    "Print J, R, jobspec, eventlog, guest.exec.eventlog, guest.input or guest.output of a job",
    info,
    [
        Option("original", "o", doc="of jobspec: as it was submitted"),
        Option("base", "b", doc="of jobspec and R: without later updates"),
    ],
)
