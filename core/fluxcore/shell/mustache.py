"""Templates in file names, command words and environment: ``{{id}}``, ``{{taskid}}`` (D21).

A tag that is unknown, or that means nothing where it stands (a task's id in a name that is the
job's), stays as it is written.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fluxcore.job import jobid
from fluxcore.shell.layout import Layout, Node

_TAG: Final = re.compile(r"\{\{(.*?)\}\}")


class Names(NamedTuple):
    """What tags may stand for; ``node`` and ``task`` (its id and local id) only where known.

    With ``ascii_ids``, f58 has its ASCII prefix: the job's own locale cannot write the other.
    """

    jobid: int
    jobname: str
    layout: Layout
    tmpdir: str | None = None
    node: Node | None = None
    task: tuple[int, int] | None = None
    ascii_ids: bool = False

    def of_task(self, taskid: int, index: int) -> "Names":
        """The names for one task."""
        return self._replace(task=(taskid, index))


def render(template: str, names: Names) -> str:
    """``template`` with its tags replaced."""
    if "{{" not in template:
        return template

    def value(found: re.Match[str]) -> str:
        known = _value(found[1], names)
        return found[0] if known is None else known

    return _TAG.sub(value, template)


def is_per_node(template: str, names: Names) -> bool:
    """True if the template may be another text on each node of the job, or for each task."""
    if "{{" not in template or len(names.layout.nodes) == 1:
        return False
    if "{{tmpdir}}" in template:
        return True
    first, second = names.layout.nodes[:2]
    task = names._replace(node=first).of_task(0, 0)
    texts = {
        render(template, names._replace(node=first, task=None)),
        render(template, names._replace(node=second, task=None)),
        render(template, task),
    }
    return len(texts) > 1


def _value(tag: str, names: Names) -> str | None:
    if tag.startswith("jobid"):
        tag = tag.removeprefix("job")
    elif tag == "taskid":
        tag = "task.id"
    if tag == "id" or tag.startswith("id."):
        return _id(names, tag.removeprefix("id").removeprefix("."))
    if tag.startswith("task."):
        return _task(tag.removeprefix("task."), names.task)
    if tag.startswith("node."):
        getter = _NODE.get(tag.removeprefix("node.").removeprefix("resources."))
        return None if getter is None or names.node is None else getter(names.node)
    plain = _PLAIN.get(tag)
    return None if plain is None else plain(names)


def _id(names: Names, form: str) -> str | None:
    try:
        return jobid.encode(names.jobid, form or "f58", ascii_only=names.ascii_ids)
    except ValueError:
        return None


def _task(word: str, task: tuple[int, int] | None) -> str | None:
    if task is None:
        return None
    if word in ("id", "rank"):
        return str(task[0])
    return str(task[1]) if word in ("index", "localid") else None


_PLAIN: Final[Mapping[str, Callable[[Names], str | None]]] = {
    "name": lambda names: names.jobname,
    "nnodes": lambda names: str(len(names.layout.nodes)),
    "ntasks": lambda names: str(names.layout.ntasks),
    "size": lambda names: str(names.layout.ntasks),
    "tmpdir": lambda names: names.tmpdir,
}

_NODE: Final[Mapping[str, Callable[[Node], str]]] = {
    "id": lambda node: str(node.index),
    "name": lambda node: node.host,
    "broker_rank": lambda node: str(node.rank),
    "ntasks": lambda node: str(len(node.tasks)),
    "taskids": lambda node: node.tasks.encode(),
    "cores": lambda node: node.cores.encode(),
    "ncores": lambda node: str(len(node.cores)),
    "gpus": lambda node: node.gpus.encode(),
}
