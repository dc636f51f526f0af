"""The broker: its parts, put together (DESIGN, "The broker process")."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TextIO

from fluxcore.broker import setup
from fluxcore.broker.attr_service import AttrService
from fluxcore.broker.attributes import Attributes
from fluxcore.broker.broker_service import BrokerService, RunatService
from fluxcore.broker.event_service import EventService, ServiceService
from fluxcore.broker.log_service import LogService
from fluxcore.broker.logbuf import LogBuffer
from fluxcore.broker.modhost.host import HostHooks, LoadRequest, ModuleHost
from fluxcore.broker.modhost.service import ModuleService
from fluxcore.broker.modhost.trace import Tracer
from fluxcore.broker.options import BootInfo, BrokerOptions
from fluxcore.broker.own import OwnLink
from fluxcore.broker.router import Router
from fluxcore.broker.runat import RunAt
from fluxcore.broker.runcontrol import Actions, RunControl, install_signal_handlers
from fluxcore.broker.rundir import BrokerDir
from fluxcore.broker.state import State
from fluxcore.broker.state_service import ShutdownService, StateService
from fluxcore.handle.aio import Flux
from fluxcore.handle.module import Module
from fluxcore.handle.runner import ModuleFactory
from fluxcore.modules.config import ConfigModule
from fluxcore.modules.connector_local import ConnectorLocal
from fluxcore.modules.groups import Groups
from fluxcore.modules.overlay import OverlayModule
from fluxcore.overlay.neighbours import Identity
from fluxcore.overlay.overlay import Overlay
from fluxcore.overlay.settings import OverlaySettings
from fluxcore.wire import constants as c
from fluxcore.wire.message import request

#: The services that are part of the broker itself.
_OWN_SERVICES: Final = (
    "broker", "log", "attr", "event", "service", "module", "runat", "state-machine", "shutdown",
)  # fmt: skip
#: Built-in modules in the order of loading; they are removed in reverse.
_BUILTINS: Final = ("config", "overlay", "groups", "connector-local")
_VERSION_NUMBER: Final = 0x000100
_STATE_PARENT: Final = "/var/tmp"  # noqa: S108 - where a state directory lives unless told


class Broker:
    """One broker. Made before its loop runs, then :meth:`run`."""

    def __init__(
        self,
        attrs: Attributes,
        boot: BootInfo,
        options: BrokerOptions,
        rundir: BrokerDir,
        conf: dict[str, Any],
        broker_uuid: str,
    ) -> None:
        self._attrs = attrs
        self._boot = boot
        self._options = options
        self._dirs = [rundir]
        self._conf = conf
        self._exited = asyncio.Event()
        #: Set once the local connector accepts connections.
        self.listening = asyncio.Event()
        self._uuid = broker_uuid
        attrs.set("broker.uuid", self._uuid)
        setup.boot_attributes(attrs, boot)
        setup.local_uri(attrs, rundir.path, boot.rank)
        self._levels = setup.log_levels(attrs)
        self._log_file = setup.open_log_file(attrs, boot.rank)
        if boot.rank == 0:
            self._dirs.append(BrokerDir(attrs, "statedir", _STATE_PARENT))

    async def run(self, *, signals: bool = True) -> int:
        """Live from load-builtins to exit; the exit code.

        :param signals: let signals to this process reach the broker
        """
        loop = asyncio.get_running_loop()
        try:
            self._assemble(loop)
            if signals:
                install_signal_handlers(loop, self._control)
            return await self._live()
        finally:
            if self._boot.sockets is not None:
                self._boot.sockets.close()
            for directory in self._dirs:
                directory.close()
            if self._log_file is not None:
                self._log_file.close()

    async def _live(self) -> int:
        try:
            self._control.start()
            await self._exited.wait()
        finally:
            left = await self._host.close()
            self._runat.close()
            self._control.close()
            await self._flux.close()
            self._overlay.close()
        return self._control.exit_code or int(left > 0)

    # -- putting together ------------------------------------------------------------------

    def _assemble(self, loop: asyncio.AbstractEventLoop) -> None:
        rank, size = self._boot.rank, self._boot.size
        router = self._router = Router(rank, self._uuid, os.getuid())
        own = self._own = OwnLink(router, loop, self._attrs.immutables())
        flux = self._flux = own.flux
        router.own = own
        runat = self._runat = self._make_runat(loop)
        control = self._control = RunControl(flux, self._attrs, runat, rank, size, self._actions())
        self._host = self._make_host(loop)
        self._overlay = self._make_overlay()
        router.overlay = self._overlay if size > 1 else None
        self._bind_services(flux, runat, control)
        setup.define_scripts(runat, self._attrs, rank, self._options.command)

    def _make_runat(self, loop: asyncio.AbstractEventLoop) -> RunAt:
        def environ() -> dict[str, str]:
            env = {**os.environ, "FLUX_URI": self._attrs["local-uri"]}
            env.pop("FLUX_ENCLOSING_ID", None)  # an instance that is no job is in none
            jobid = self._attrs.get("jobid")
            return {**env, "FLUX_ENCLOSING_ID": jobid} if jobid else env

        return RunAt(loop, lambda level, text: self._flux.log(level, text), environ)

    def _make_host(self, loop: asyncio.AbstractEventLoop) -> ModuleHost:
        hooks = HostHooks(
            log=self._flux.log,
            panic=self._control.panic,
            conf=lambda: self._conf,
            loaded=lambda link: self._tracer.hook(link),
        )
        builtins: dict[str, ModuleFactory] = {
            "config": self._make_config,
            "overlay": self._make_overlay_module,
            "groups": Groups,
            "connector-local": ConnectorLocal,
        }
        return ModuleHost(self._router, self._attrs, loop, hooks, builtins)

    def _make_overlay(self) -> Overlay:
        hosts, settings = self._boot.hosts, OverlaySettings.read(self._attrs)
        identity = Identity(
            self._boot.rank, self._uuid, os.getuid(), _VERSION_NUMBER, lambda rank: hosts[rank]
        )
        return Overlay(
            identity,
            self._boot.topology,
            self._boot.sockets,
            broker=self._router,
            post=self._overlay_event,
            log=self._flux.log,
            torpid_min=settings.torpid_min,
            torpid_max=settings.torpid_max,
        )

    def _bind_services(self, flux: Flux, runat: RunAt, control: RunControl) -> None:
        record = None if self._log_file is None else partial(_show, file=self._log_file)
        syslog = setup.system_log(self._attrs) if self._levels.syslog_level >= 0 else None
        log = LogBuffer(self._boot.rank, self._levels, _show, self._forward_log, record, syslog)
        self._states = StateService(flux, control)
        self._shutdown = ShutdownService(flux, control)
        self._log = LogService(flux, log, self._shutdown.logged)
        self._tracer = Tracer(flux, self._host.links)
        broker = BrokerService(flux, self._builtin_conf)
        services = [
            AttrService(flux, self._attrs),
            self._log,
            EventService(self._router, self._host),
            ServiceService(self._router, self._host),
            ModuleService(self._host, self._tracer),
            RunatService(runat),
            self._states,
            self._shutdown,
        ]
        for prefix in broker.bind(flux.core, "broker"):
            self._router.subscribers.add(prefix, self._own)
        for service in services:
            service.bind(flux.core)
        for name in _OWN_SERVICES:
            self._router.add_service(name, self._own)

    def _builtin_conf(self) -> dict[str, str]:
        return {name: self._attrs[name] for name in self._attrs if self._attrs.get(name)}

    def _forward_log(self, line: bytes) -> None:
        flags = c.UPSTREAM | c.NORESPONSE
        self._flux.core.send(request("log.append", line, nodeid=self._boot.rank, flags=flags))

    # -- built-in modules ------------------------------------------------------------------

    def _make_config(self, flux: Flux, args: Sequence[str], conf: Mapping[str, Any]) -> Module:
        self._config = ConfigModule(
            flux, args, conf, read=self._read_conf, keep=self._set_conf, current=lambda: self._conf
        )
        return self._config

    def _make_overlay_module(
        self, flux: Flux, args: Sequence[str], conf: Mapping[str, Any]
    ) -> Module:
        return OverlayModule(flux, args, conf, self._overlay)

    def _read_conf(self) -> dict[str, Any]:
        from fluxcore.broker.conf import read_conf

        return read_conf(self._attrs.get("config.path"), self._options.conf_updates)

    def _set_conf(self, conf: dict[str, Any]) -> None:
        self._conf = conf

    # -- what run control has done ---------------------------------------------------------

    def _actions(self) -> Actions:
        return Actions(
            load_builtins=self._load_builtins,
            unload_builtins=self._unload_builtins,
            sync_conf=lambda: self._config.follow_parent(),
            go_online=self._go_online,
            entered=lambda state: self._states.entered(state),
            stop_joining=lambda: self._overlay.peers.stop_joining(),
            shut_down=lambda: self._overlay.peers.shut_down(),
            say_goodbye=lambda: self._overlay.peers.say_goodbye(),
            shutdown_finished=lambda: self._shutdown.finished(),
            exit=self._exited.set,
        )

    async def _load_builtins(self) -> None:
        self._overlay.start(self._flux.loop, self._attrs["hostname"])
        for name in _BUILTINS:
            await self._host.load(LoadRequest(name))
        self.listening.set()

    async def _unload_builtins(self) -> None:
        for name in reversed(_BUILTINS):
            try:
                await self._host.remove(name)
            except FileNotFoundError:
                continue

    def _go_online(self) -> None:
        self._host.gate.online = True

    def _overlay_event(self, event: str) -> None:
        """What the overlay tells: two of its events are for run control's view of the parent."""
        if event == "parent-hello":
            self._control.parent_hello()
        elif event == "parent-lost":
            self._control.parent_lost()
        else:
            self._control.post(event)


def _show(text: str, file: TextIO | None = None) -> None:
    print(text, file=file or sys.stderr, flush=True)


def prepare(options: BrokerOptions, hostname: str) -> tuple[Attributes, BrokerDir, dict[str, Any]]:
    """What is needed before bootstrap: attributes, the rundir, the configuration.

    :raises OSError: with a text that says what is wrong
    """
    from fluxcore.broker.conf import read_conf

    attrs = setup.first_attributes(options, hostname)
    conf = read_conf(options.conf_path, options.conf_updates)
    rundir = BrokerDir(attrs, "rundir", os.environ.get("TMPDIR") or tempfile.gettempdir())
    return attrs, rundir, conf


__all__ = ["Broker", "State", "prepare"]
