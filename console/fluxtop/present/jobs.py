"""The rows of the jobs."""

import pwd
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from fluxcore.job import jobid
from fluxtop.cells import Cell, cell
from fluxtop.columns import Column
from fluxtop.data.jobs import Job
from fluxtop.data.jobs_model import word
from fluxtop.data.rows import SortKey
from fluxtop.durations import duration
from fluxtop.glyphs import Glyphs, role_of

COLUMNS: Final = (
    Column("id", "Job", 12),
    Column("user", "User", 8, drop=4),
    Column("name", "Name", 10, flex=2),
    Column("state", "State", 11),
    Column("ntasks", "Tasks", 5, align="right", drop=3),
    Column("nnodes", "Nodes", 5, align="right", drop=3),
    Column("time", "Time", 7, align="right", drop=1),
    Column("where", "Where", 10, flex=2, drop=2),
)

#: The orders to go through: the column marked, its sort key, and whether the largest is first.
ORDERS: Final[tuple[tuple[str, Callable[[Job], SortKey], bool], ...]] = (
    ("id", lambda job: job.id, True),
    ("state", lambda job: job.state, False),
    ("name", lambda job: job.name, False),
)


def present(job: Job, now: float, glyphs: Glyphs) -> Mapping[str, Cell]:
    """The cells of a job."""
    state = word(job)
    return {
        "id": cell(short_id(job.id, glyphs), "strong"),
        "user": cell(user_name(job.userid), "dim"),
        "name": cell(job.name),
        "state": cell(f"{glyphs.state(state)} {state}", role_of(state)),
        "ntasks": cell(job.ntasks),
        "nnodes": cell("" if job.nnodes is None else job.nnodes),
        "time": cell(_time(job, now)),
        "where": _where(job),
    }


def short_id(job: int, glyphs: Glyphs) -> str:
    """A job's id in F58 (RFC 19), without the hooked letter in an ASCII terminal."""
    return jobid.f58(job, ascii_only=glyphs.plain)


def _time(job: Job, now: float) -> str:
    """How long it has run, or ran."""
    if job.t_run is None:
        return ""
    return duration((now if job.t_end is None else job.t_end) - job.t_run)


def _where(job: Job) -> Cell:
    if job.exception:
        return cell(how_it_failed(job), "bad")
    if job.status:
        return cell(how_it_ended(job.status), "bad")
    if job.nnodes is None:
        return ()
    return ((f"{job.ranks} ", "key"), (job.nodelist, "dim"))


def how_it_failed(job: Job) -> str:
    """The exception that ended it, empty if none has."""
    return f"{job.exception}: {job.note}" if job.note else job.exception


def how_it_ended(status: int) -> str:
    """A wait status in words: ``exit 1``, ``signal 9``."""
    return f"signal {status & 0x7F}" if status & 0x7F else f"exit {status >> 8}"


@lru_cache(maxsize=1024)
def user_name(userid: int) -> str:
    """A user's name, or the number where this machine knows none."""
    try:
        return pwd.getpwuid(userid).pw_name
    except (KeyError, OverflowError):
        return str(userid) if userid >= 0 else ""
