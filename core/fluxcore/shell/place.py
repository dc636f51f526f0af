"""Where the tasks of a job find themselves: a directory to run in, one for their files, names."""

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.job.jobid import f58, wants_ascii
from fluxcore.job.jobspec import Jobspec
from fluxcore.shell.archive import extract
from fluxcore.shell.errors import ERROR, Complaint, ShellError
from fluxcore.shell.layout import Layout, Node
from fluxcore.shell.mustache import Names

_FALLBACK: Final = "/tmp"  # noqa: S108 - where flux-core goes, too


@dataclass(frozen=True, slots=True)
class Place:
    """What is there for the tasks of a job on a node."""

    cwd: str
    tmpdir: str
    names: Names
    complaint: Complaint | None


def prepare(number: int, jobspec: Jobspec, where: Layout, node: Node, rundir: str) -> Place:
    """Make the job's own directory in ``rundir``, with the files that the jobspec brings along,
    and choose the one to run in.

    :raises ShellError: the directory or a file cannot be made
    """
    system: Mapping[str, Any] = jobspec["attributes"]["system"]
    command: str = jobspec["tasks"][0]["command"][0]
    name = system.get("job", {}).get("name") or os.path.basename(command)
    cwd, complaint = _choose_cwd(system.get("cwd") or _FALLBACK, node.host)
    tmpdir = os.path.join(rundir, f"jobtmp-{node.index}-{f58(number)}")
    try:
        os.mkdir(tmpdir, mode=0o700)
    except OSError as exc:
        if not os.path.isdir(tmpdir):
            text = f"error creating FLUX_JOB_TMPDIR: {exc.strerror}"
            raise ShellError(text, component="tmpdir") from None
    ascii_ids = _wants_ascii(system.get("environment") or {})
    names = Names(number, name, where, tmpdir, node, ascii_ids=ascii_ids)
    place = Place(cwd, tmpdir, names, complaint)
    try:
        extract(system.get("files") or {}, tmpdir)
    except ShellError:
        shutil.rmtree(tmpdir, ignore_errors=True)
        raise
    return place


def _wants_ascii(environ: Mapping[str, str | None]) -> bool:
    """True if the job's environment says that f58 must be ASCII; without a locale it may not."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name)
        if value:
            encoding = value.partition(".")[2].partition("@")[0]
            break
    else:
        encoding = "UTF-8"
    return wants_ascii({name: value for name, value in environ.items() if value}, encoding)


def _choose_cwd(wanted: str, host: str) -> tuple[str, Complaint | None]:
    if not os.path.isdir(wanted):
        errnum = errno.ENOTDIR if os.path.exists(wanted) else errno.ENOENT
    elif not os.access(wanted, os.X_OK):
        errnum = errno.EACCES
    else:
        return wanted, None
    text = f"host {host}: Could not change dir to {wanted}: {os.strerror(errnum)}."
    return _FALLBACK, Complaint(ERROR, f"{text} Going to {_FALLBACK} instead")
