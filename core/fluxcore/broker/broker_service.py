"""The broker's own methods: broker.*, runat.push (CONTRACTS A25, A34, A41)."""

import errno
import os
from collections.abc import Callable

from fluxcore.broker.runat import RunAt, parse_push
from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import Module
from fluxcore.handle.service import Reply, Service, method
from fluxcore.wire.constants import ROLE_ALL
from fluxcore.wire.errors import PayloadError
from fluxcore.wire.message import Message
from fluxcore.wire.payload import need_dict, need_list, need_str


class BrokerService(Module):
    """Serves broker.*: what every module serves, and the broker's environment.

    It is a module in this alone: it is never loaded, and lives as long as the broker.
    """

    name = "broker"
    placement = "loop"

    def __init__(self, flux: Flux, builtin_conf: Callable[[], dict[str, str]]) -> None:
        super().__init__(flux)
        self._builtin_conf = builtin_conf

    @method(".getenv")
    def getenv(self, req: Message) -> Reply:
        """``{names}`` -> ``{env}`` with those that are set."""
        names = need_list(req.json, "names")
        if not all(type(name) is str for name in names):
            raise PayloadError
        return {"env": {name: os.environ[name] for name in names if name in os.environ}}

    @method(".setenv")
    def setenv(self, req: Message) -> Reply:
        """``{env: {name: value or null}}``."""
        env = need_dict(req.json, "env")
        for name, value in env.items():
            bad_name = not name or "=" in name or "\0" in name
            if bad_name or not (value is None or (type(value) is str and "\0" not in value)):
                raise PayloadError
        for name, value in env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        return None

    @method(".conf-builtin", role=ROLE_ALL)
    def conf_builtin(self, req: Message) -> Reply:
        """``{keys}`` -> ``{values}``: where things are installed."""
        values = self._builtin_conf()
        keys = need_list(req.json, "keys")
        if not all(type(key) is str for key in keys):
            raise PayloadError
        for key in keys:
            if key not in values:
                raise rpc_error(errno.EINVAL, f"{key}: invalid key")
        return {"values": {key: values[key] for key in keys}}

    @method(".disconnect", role=ROLE_ALL)
    def disconnect(self, _req: Message) -> Reply:
        """A client has gone; nothing here keeps its requests."""
        return None


class RunatService(Service):
    """Serves runat.push."""

    def __init__(self, runat: RunAt) -> None:
        self._runat = runat

    @method("runat.push")
    def push(self, req: Message) -> Reply:
        """``{name, commands}``: run the command lines at ``name``, the last one first."""
        name = need_str(req.json, "name")
        for command in parse_push(need_list(req.json, "commands")):
            self._runat.push(name, [command])
        return None
