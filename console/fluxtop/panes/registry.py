"""Panes by id; each is imported when it is first made, for some are heavy."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

from fluxtop.desk import Desk
from fluxtop.panes.pane import Pane

_CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "tbon": ("fluxtop.panes.tbon", "TbonPane"),
    "modules": ("fluxtop.panes.modules", "ModulesPane"),
    "kvs": ("fluxtop.panes.kvs", "KvsPane"),
    "jobs": ("fluxtop.panes.jobs", "JobsPane"),
    "log": ("fluxtop.panes.log", "LogPane"),
    "value": ("fluxtop.panes.value", "ValuePane"),
    "job": ("fluxtop.panes.job", "JobPane"),
    "jobspec": ("fluxtop.panes.jobspec", "JobspecPane"),
}


def pane_class(pane: str) -> type[Pane]:
    """The class of a pane."""
    module, name = _CLASSES[pane]
    return cast(type[Pane], getattr(import_module(module), name))


def make(pane: str, desk: Desk) -> Pane:
    """A new pane."""
    factory = cast(Callable[[Desk], Pane], pane_class(pane))
    return factory(desk)
