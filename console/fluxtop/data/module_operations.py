"""What can be done to modules: load, remove, reload, and set debug flags.

Each operation knows the ``flux`` command that does the same.
"""

import errno
import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fluxcore.handle.aio import Flux
from fluxcore.handle.errors import rpc_error
from fluxcore.wire.payload import need_int
from fluxtop.data.modules import ModuleRow
from fluxtop.data.source import DEADLINE, LONG_DEADLINE
from fluxtop.data.trouble import Trouble

#: Modules without which an instance is lost, or jobs are; to remove one, its name must be typed.
VITAL: Final = frozenset(
    {
        "config",
        "connector-local",
        "content",
        "content-sqlite",
        "groups",
        "job-exec",
        "job-manager",
        "kvs",
        "overlay",
        "resource",
        "rexec",
        "sched-simple",
    }
)

#: The folder that the modules of our own broker come in.
_STOCK: Final = "/fluxcore/modules"


def command_line(rank: int, own_rank: int, *words: str) -> str:
    """The ``flux`` command that does the same; on another rank it goes through ``flux exec``."""
    prefix = ("flux",) if rank == own_rank else ("flux", "exec", "-r", str(rank), "flux")
    return shlex.join((*prefix, "module", *words))


def name_or_path(typed: str) -> str:
    """What a user types to load a module by: with a slash a path, which becomes a whole one."""
    return os.path.abspath(os.path.expanduser(typed)) if "/" in typed else typed


@dataclass(frozen=True, slots=True)
class LoadModule:
    """Load a module: a name in the search path, or the path of a file."""

    rank: int
    path: str
    args: tuple[str, ...] = ()
    name: str = ""  #: the name to load it under, if not that of its file

    def command(self, own_rank: int) -> str:
        """The equivalent command."""
        name = ("--name", self.name) if self.name else ()
        return command_line(self.rank, own_rank, "load", *name, self.path, *self.args)

    async def run(self, flux: Flux) -> None:
        """Load it; returns when it runs.

        :raises OSError: ENOENT if it is not found, EEXIST if its name is taken, or what the
            module failed with (CONTRACTS A22)
        """
        payload = {"path": self.path, "args": list(self.args), "exec": False}
        if self.name:
            payload["name"] = self.name
        await flux.rpc("module.load", payload, nodeid=self.rank, timeout=LONG_DEADLINE)


@dataclass(frozen=True, slots=True)
class RemoveModule:
    """Remove a module."""

    rank: int
    name: str

    def command(self, own_rank: int) -> str:
        """The equivalent command."""
        return command_line(self.rank, own_rank, "remove", self.name)

    async def run(self, flux: Flux) -> None:
        """Remove it; returns when it has ended.

        :raises OSError: ENOENT if it is not loaded (CONTRACTS A23)
        """
        payload = {"name": self.name, "cancel": False}
        await flux.rpc("module.remove", payload, nodeid=self.rank, timeout=LONG_DEADLINE)


@dataclass(frozen=True, slots=True)
class ReloadModule:
    """Remove the module ``name`` and load it anew, from its file as it is on disk now.

    ``target`` is what it is loaded by: its name if the search path finds the same file, else
    the path of its file (see :func:`reload_target`).
    """

    rank: int
    name: str
    target: str
    args: tuple[str, ...] = ()

    @property
    def _renamed(self) -> bool:
        """True if its file would give it another name."""
        return self.target.rpartition("/")[2].split(".")[0] != self.name

    def command(self, own_rank: int) -> str:
        """The equivalent command."""
        name = ("--name", self.name) if self._renamed else ()
        return command_line(self.rank, own_rank, "reload", *name, self.target, *self.args)

    async def run(self, flux: Flux) -> None:
        """Reload it; returns when it runs again.

        One that is gone is loaded: an attempt before this one may have removed it and then not
        loaded it, for its file was faulty.

        :raises OSError: as for removing and loading
        """
        with suppress(FileNotFoundError):
            await RemoveModule(self.rank, self.name).run(flux)
        name = self.name if self._renamed else ""
        try:
            await LoadModule(self.rank, self.target, self.args, name).run(flux)
        except OSError as exc:
            text = f"{Trouble.of(exc).text} ({self.name} is not loaded now)"
            raise rpc_error(exc.errno or errno.EINVAL, text) from None


def reload_target(row: ModuleRow, search_path: str) -> str:
    """What to load ``row`` by: its name if the broker finds the same file by it.

    :param search_path: FLUX_MODULE_PATH as the broker has it
    """
    folder, _, file = row.path.rpartition("/")
    if not folder or _is_stock(row):
        return row.name
    found = folder in search_path.split(":") and file.split(".")[0] == row.name
    return row.name if found else row.path


def _is_stock(row: ModuleRow) -> bool:
    """True for a module that comes with our own broker, which looks among those first."""
    stem = f"{_STOCK}/{row.name.replace('-', '_')}"
    return row.path.endswith((f"{stem}.py", f"{stem}/__init__.py"))


@dataclass(frozen=True, slots=True)
class SearchPath:
    """Ask where the broker of a rank looks for modules."""

    rank: int

    async def run(self, flux: Flux) -> str:
        """Its FLUX_MODULE_PATH, empty if it is not set."""
        payload = {"names": ["FLUX_MODULE_PATH"]}
        answer = await flux.rpc("broker.getenv", payload, nodeid=self.rank, timeout=DEADLINE)
        value = answer.json.get("env", {}).get("FLUX_MODULE_PATH")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class DebugFlags:
    """Read a module's debug flags, or set them if ``flags`` is given."""

    rank: int
    name: str
    flags: int | None = None

    def command(self, own_rank: int) -> str:
        """The equivalent command."""
        words = ["debug", self.name]
        if self.flags is not None:
            words[1:1] = ["--set", f"{self.flags:#x}"]
        return command_line(self.rank, own_rank, *words)

    async def run(self, flux: Flux) -> int:
        """The flags, after setting them if that is asked for (CONTRACTS A25)."""
        op, flags = ("setbit", 0) if self.flags is None else ("set", self.flags)
        answer = await flux.rpc(
            f"{self.name}.debug", {"op": op, "flags": flags}, nodeid=self.rank, timeout=DEADLINE
        )
        return need_int(answer.json, "flags")
