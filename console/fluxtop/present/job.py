"""A job in a line."""

from fluxcore.job import states
from fluxcore.job.jobspec_counts import Counts
from fluxtop.cells import Cell, Span
from fluxtop.data.jobs import Job
from fluxtop.data.jobs_model import word
from fluxtop.durations import duration
from fluxtop.glyphs import Glyphs, role_of
from fluxtop.present.jobs import how_it_ended, how_it_failed, short_id, user_name


def summary(job: Job, now: float, glyphs: Glyphs) -> Cell:
    """What the job is and how it fares."""
    state = word(job)
    spans: list[Span] = [
        (f" {short_id(job.id, glyphs)}", "key"),
        (f" {job.name} ", "strong"),
        (f" {glyphs.state(state)} {state}", role_of(state)),
    ]
    if job.exception:
        spans.append((f"  {how_it_failed(job)}", "bad"))
    elif job.status:
        spans.append((f"  {how_it_ended(job.status)}", "bad"))
    if job.t_run is not None:
        end = now if job.t_end is None or job.state == states.RUN else job.t_end
        spans += [("  for ", "dim"), (duration(end - job.t_run), "plain")]
    if job.ntasks:
        spans += [(f"  {job.ntasks} ", "plain"), ("tasks" if job.ntasks > 1 else "task", "dim")]
    if job.nnodes:
        spans += [("  on ", "dim"), (f"{job.ranks} ", "key"), (job.nodelist, "plain")]
    if job.userid >= 0:
        spans += [("  by ", "dim"), (user_name(job.userid), "plain")]
    return tuple(spans)


def asks_for(counts: Counts) -> str:
    """What a jobspec asks for, in words."""
    parts = [
        _count(number, what)
        for number, what in (
            (counts.nnodes, "node"),
            (counts.nslots, "slot"),
            (counts.ncores, "core"),
            (counts.ngpus, "gpu"),
            (counts.ntasks, "task"),
        )
        if number
    ]
    limit = [f"{counts.duration:g} s at most"] if counts.duration else []
    return ", ".join(parts + limit)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
