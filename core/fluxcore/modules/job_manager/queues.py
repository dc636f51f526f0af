"""The job queues (RFC 33): who may submit, and whose jobs are given to the scheduler.

Without a ``[queues]`` table there is one queue without a name; with one there are only those it
names. A disabled queue takes no new jobs; a stopped one keeps its jobs from the scheduler.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fluxcore.handle.errors import rpc_error

#: What queue-status says while there is no scheduler.
OFFLINE_REASON: Final = "Scheduler is offline"


@dataclass(slots=True)
class Queue:
    """One queue. ``checkpointed`` is what ``started`` will be after a restart."""

    name: str | None
    requires: tuple[str, ...] = ()
    enabled: bool = True
    disable_reason: str | None = None
    started: bool = True
    checkpointed: bool = True
    stop_reason: str | None = None

    def start(self, *, checkpoint: bool = True) -> None:
        """Give its jobs to the scheduler."""
        self.started, self.stop_reason = True, None
        if checkpoint:
            self.checkpointed = True

    def stop(self, reason: str | None, *, checkpoint: bool = True) -> None:
        """Keep its jobs from the scheduler."""
        self.started, self.stop_reason = False, reason
        if checkpoint:
            self.checkpointed = False

    def enable(self) -> None:
        """Take new jobs."""
        self.enabled, self.disable_reason = True, None

    def disable(self, reason: str | None) -> None:
        """Take no new jobs."""
        self.enabled, self.disable_reason = False, reason

    def status(self, *, scheduler: bool) -> dict[str, Any]:
        """What queue-status answers; ``scheduler`` says that there is one."""
        started = self.started and scheduler
        reason = self.stop_reason if scheduler else OFFLINE_REASON
        status: dict[str, Any] = {"enable": self.enabled, "start": started}
        if not self.enabled and self.disable_reason is not None:
            status["disable_reason"] = self.disable_reason
        if not started and reason is not None:
            status["stop_reason"] = reason
        return status

    def to_json(self) -> dict[str, Any]:
        """The queue in a checkpoint."""
        entry: dict[str, Any] = {"enable": self.enabled, "start": self.checkpointed}
        if self.name is not None:
            entry["name"] = self.name
        if not self.enabled:
            entry["disable_reason"] = self.disable_reason or ""
        if not self.checkpointed and self.stop_reason is not None:
            entry["stop_reason"] = self.stop_reason
        return entry


class Queues:
    """All queues of the instance."""

    def __init__(self) -> None:
        self._queues: dict[str | None, Queue] = {None: Queue(None)}

    @property
    def named(self) -> bool:
        """True if the queues have names."""
        return None not in self._queues

    def names(self) -> list[str]:
        """The names of the queues that have one."""
        return [name for name in self._queues if name is not None]

    def configure(self, table: Mapping[str, Any]) -> None:
        """Take the ``[queues]`` table; a queue that stays keeps its state.

        A new queue with a name begins stopped, as flux-core has it.

        :raises OSError: EINVAL, an entry is no table
        """
        for name, entry in table.items():
            if not isinstance(entry, dict):
                raise rpc_error(errno.EINVAL, f"queue {name}: configuration must be a table")
        queues: dict[str | None, Queue] = {}
        for name, entry in table.items():
            queue = self._queues.get(name) or Queue(name, started=False, checkpointed=False)
            queue.requires = tuple(entry.get("requires", ()))
            queues[name] = queue
        self._queues = queues or {None: self._queues.get(None) or Queue(None)}

    def find(self, name: str | None) -> Queue:
        """The queue called ``name``; None is the one without a name.

        :raises OSError: EINVAL, there is none
        """
        queue = self._queues.get(name)
        if queue is None:
            text = "a named queue is required" if name is None else f"'{name}' is not a valid queue"
            raise rpc_error(errno.EINVAL, text)
        return queue

    def chosen(self, name: str | None, *, everyone: bool) -> Iterable[Queue]:
        """Those that an administrator means: the one that is named, or all of them.

        :raises OSError: EINVAL, there is no such queue, or all must be asked for
        """
        if name is not None or not self.named:
            return [self.find(name)]
        if not everyone:
            raise rpc_error(errno.EINVAL, "Use --all to apply this command to all queues")
        return list(self._queues.values())

    def check_submit(self, name: str | None) -> None:
        """Check that a job may be submitted to the queue called ``name``.

        :raises OSError: EINVAL: there is none, or it is disabled
        """
        queue = self.find(name)
        if not queue.enabled:
            to = f" to {name}" if name else ""
            raise rpc_error(
                errno.EINVAL, f"job submission{to} is disabled: {queue.disable_reason or ''}"
            )

    def started(self, name: str | None) -> bool:
        """True if the jobs of the queue called ``name`` are given to the scheduler."""
        queue = self._queues.get(name)
        return queue is not None and queue.started

    # -- checkpoints -----------------------------------------------------------------------

    def to_json(self) -> list[dict[str, Any]]:
        """The queues in a checkpoint."""
        return [queue.to_json() for queue in self._queues.values()]

    def restore(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Take up what a checkpoint says; queues that are no more are ignored."""
        for entry in entries:
            queue = self._queues.get(entry.get("name"))
            if queue is None:
                continue
            if entry.get("enable", True):
                queue.enable()
            else:
                queue.disable(entry.get("disable_reason"))
            if entry.get("start", True):
                queue.start()
            else:
                queue.stop(entry.get("stop_reason"))
