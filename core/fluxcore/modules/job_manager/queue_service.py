"""The queues: job-manager.queue-* (CONTRACTS D24)."""

import errno

from fluxcore.handle.errors import rpc_error
from fluxcore.handle.service import Reply, Service, method
from fluxcore.modules.job_manager.machine import Machine
from fluxcore.wire.constants import ROLE_USER
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_bool, opt_bool, opt_str


class QueueService(Service):
    """Shows and changes the queues."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._queues = machine.queues

    @method("job-manager.queue-list", role=ROLE_USER)
    def list(self, _req: Message) -> Reply:
        """-> ``{queues}``, the names of those that have one."""
        return {"queues": self._queues.names()}

    @method("job-manager.queue-status", role=ROLE_USER)
    def status(self, req: Message) -> Reply:
        """``{name?}`` -> ``{enable, start, disable_reason?, stop_reason?}``."""
        queue = self._queues.find(opt_str(req.json, "name"))
        return queue.status(scheduler=self._machine.allocation.online)

    @method("job-manager.queue-enable")
    def enable(self, req: Message) -> Reply:
        """``{name?, enable, reason?, all}``."""
        name, everyone = opt_str(req.json, "name"), need_bool(req.json, "all")
        enable, reason = need_bool(req.json, "enable"), opt_str(req.json, "reason")
        if not enable and reason is None:
            raise rpc_error(errno.EINVAL, "reason is required for disable")
        for queue in self._queues.chosen(name, everyone=everyone):
            if enable:
                queue.enable()
            else:
                queue.disable(reason)
        return None

    @method("job-manager.queue-start")
    def start(self, req: Message) -> Reply:
        """``{name?, start, reason?, all, nocheckpoint?}``."""
        name, everyone = opt_str(req.json, "name"), need_bool(req.json, "all")
        start, reason = need_bool(req.json, "start"), opt_str(req.json, "reason")
        checkpoint = not opt_bool(req.json, "nocheckpoint")
        for queue in self._queues.chosen(name, everyone=everyone):
            if start:
                queue.start(checkpoint=checkpoint)
                self._machine.allocation.queue_started(queue)
            else:
                queue.stop(reason, checkpoint=checkpoint)
                self._machine.allocation.queue_stopped(queue)
        return None
