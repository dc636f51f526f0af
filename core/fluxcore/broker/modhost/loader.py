"""From what ``flux module load`` was given to code: a name or a file to a module class."""

import errno
import importlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import fluxcore.modules
from fluxcore.handle.errors import rpc_error
from fluxcore.handle.module import Module

#: Where the modules that come with us live.
STOCK_DIR = Path(fluxcore.modules.__file__).parent


@dataclass(frozen=True, slots=True)
class Source:
    """Where a module's code is. ``stock`` is its Python name if it is one of ours."""

    name: str
    path: Path
    stock: str | None = None


def find(target: str, search_path: str) -> Source:
    """The source for ``target``: a path if it holds a slash, else a name to search for.

    Our own modules come first, then NAME.py in the folders of ``search_path``.

    :raises OSError: ENOENT "module not found in search path", EINVAL "could not determine loader
        from path suffix"
    """
    if "/" in target:
        path = Path(target)
        if path.suffix != ".py":
            raise rpc_error(errno.EINVAL, "could not determine loader from path suffix")
        if not path.is_file():
            raise rpc_error(errno.ENOENT)
        return Source(path.stem, path)
    stock = target.replace("-", "_")
    for path in (STOCK_DIR / f"{stock}.py", STOCK_DIR / stock / "__init__.py"):
        if stock.isidentifier() and not stock.startswith("_") and path.is_file():
            return Source(target, path, f"{fluxcore.modules.__name__}.{stock}")
    for folder in search_path.split(":"):
        path = Path(folder, f"{target}.py")
        if folder and path.is_file():
            return Source(target, path)
    raise rpc_error(errno.ENOENT, "module not found in search path")


class Loader:
    """Imports modules; a second load of one reads its files again, as they are on disk then."""

    def __init__(self) -> None:
        self._loaded: set[str] = set()

    def load_class(self, source: Source) -> type[Module]:
        """The module class in ``source``.

        :raises OSError: EINVAL, with what is wrong with the file
        """
        try:
            code = self._import(source)
        except (Exception, SystemExit) as exc:
            raise rpc_error(errno.EINVAL, f"{type(exc).__name__}: {exc}") from exc
        classes = [
            cls
            for _name, cls in inspect.getmembers(code, inspect.isclass)
            if issubclass(cls, Module) and cls.__module__.startswith(code.__name__)
        ]
        if len(classes) != 1:
            raise rpc_error(
                errno.EINVAL, f"{source.path.name} defines {len(classes)} Module classes, not one"
            )
        cls: type[Module] = classes[0]
        return cls

    def _import(self, source: Source) -> ModuleType:
        if source.stock is None:
            return _import_file(source.path)
        if source.stock in self._loaded:
            _forget(source.stock)
        self._loaded.add(source.stock)
        return importlib.import_module(source.stock)


def _forget(name: str) -> None:
    """Let the next import of ``name`` read its files again."""
    for other in [other for other in sys.modules if (other + ".").startswith(name + ".")]:
        del sys.modules[other]
    importlib.invalidate_caches()


def _import_file(path: Path) -> ModuleType:
    """Import a user's file, without byte code: a file changed twice in a second is read twice."""
    name = f"fluxmodule_{path.stem.replace('-', '_')}"
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(code, module.__dict__)  # noqa: S102 - loading a module is running the owner's code
    return module
