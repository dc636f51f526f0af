"""Jobspecs on their way to the instance: checked as they are typed, completed, submitted."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fluxcore.handle.aio import Flux
from fluxcore.job import sign
from fluxcore.job.jobspec import JobspecError, validate
from fluxcore.job.jobspec_text import JobspecSyntaxError, load_text, locate
from fluxcore.job.submission import URGENCY_DEFAULT
from fluxcore.wire.payload import need_int
from fluxtop.data.source import LONG_DEADLINE


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a text, and where; line and column count from 1."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that was checked: the jobspec in it, or what is wrong."""

    jobspec: Mapping[str, Any] | None
    fault: Fault | None = None


def check(text: str) -> Checked:
    """Read a jobspec from ``text``, YAML or JSON, and hold it against the schema."""
    try:
        jobspec = load_text(text)
    except JobspecSyntaxError as exc:
        return Checked(None, Fault(exc.position.line, exc.position.column, exc.text))
    try:
        validate(jobspec)
    except JobspecError as exc:
        position = locate(text, exc.path)
        return Checked(None, Fault(position.line, position.column, exc.text))
    return Checked(jobspec)


def complete(jobspec: Mapping[str, Any], environ: Mapping[str, str], cwd: str) -> dict[str, Any]:
    """A valid jobspec with the environment and the directory that a command would submit it
    with, where it names none.
    """
    attributes = dict(jobspec["attributes"])
    system = dict(attributes["system"])
    system.setdefault("environment", dict(environ))
    system.setdefault("cwd", cwd)
    return {**jobspec, "attributes": {**attributes, "system": system}}


@dataclass(frozen=True, slots=True, eq=False)
class SubmitJob:
    """Submit a jobspec."""

    jobspec: Mapping[str, Any]
    urgency: int = URGENCY_DEFAULT

    async def run(self, flux: Flux) -> int:
        """Submit it; the job's id (CONTRACTS D2).

        :raises OSError: EINVAL with what is wrong with it, or why no jobs are taken
        """
        signed = sign.wrap(orjson.dumps(self.jobspec), os.getuid())
        payload = {"J": signed, "urgency": self.urgency, "flags": 0}
        answer = await flux.rpc("job-ingest.submit", payload, timeout=LONG_DEADLINE)
        return need_int(answer.json, "id")
