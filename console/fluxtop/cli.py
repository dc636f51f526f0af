"""The command ``fluxtop``."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fluxcore import __version__
from fluxcore.handle.uri import local_path
from fluxtop.embedded import Embedded, flux_command

if TYPE_CHECKING:
    from fluxtop.app import FluxTop

#: Seconds of silence while an embedded instance shuts down.
PATIENCE: Final = 0.5


def parser() -> argparse.ArgumentParser:
    """The options."""
    parse = argparse.ArgumentParser(
        prog="fluxtop",
        description="A live console for a Flux instance.",
        epilog="Without a URI and without FLUX_URI it starts an instance of its own, which "
        "ends with it. Keys and themes of your own go into keys.toml and themes/ in "
        "~/.config/fluxtop; ? shows the keys. NO_COLOR is heeded.",
    )
    parse.add_argument("uri", nargs="?", metavar="URI", help="the instance: local:///path")
    parse.add_argument(
        "--test-size",
        "-s",
        type=int,
        metavar="N",
        help="start an instance of N brokers here and attach to it",
    )
    parse.add_argument(
        "--flux",
        metavar="PROGRAM",
        help="the flux command that starts it (default: FLUXTOP_FLUX, or our own)",
    )
    parse.add_argument("--read-only", action="store_true", help="change nothing")
    parse.add_argument("--theme", metavar="NAME", help="the theme to begin with (or FLUXTOP_THEME)")
    parse.add_argument(
        "--ascii", action="store_true", help="only ASCII signs (or set FLUXTOP_ASCII)"
    )
    parse.add_argument("--version", action="version", version=f"fluxtop {__version__}")
    return parse


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console; the exit code."""
    options = parser().parse_args(argv)
    try:
        return run(options)
    except (OSError, ValueError) as exc:
        text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        print(f"fluxtop: {text}", file=sys.stderr)
        return 1


def run(options: argparse.Namespace) -> int:
    """Run the console as the options say.

    :raises OSError: there is no such instance, or none can be started
    :raises ValueError: a setting is wrong
    """
    lack = what_the_terminal_lacks()
    if lack:
        raise OSError(errno.ENOTTY, lack)
    embedded = _embedded(options)
    try:
        app = _console(options, embedded)
        app.run()
        return app.return_code or 0
    finally:
        if embedded is not None:
            _end(embedded)


def _end(embedded: Embedded) -> None:
    """Let the instance end; who does not want to wait kills it."""
    try:
        if not embedded.leave(PATIENCE):
            text = "fluxtop: waiting for the instance to shut down; ctrl+c kills it"
            print(text, file=sys.stderr)
        embedded.stop()
    except KeyboardInterrupt:
        embedded.kill()


def what_the_terminal_lacks() -> str:
    """Why nothing can be drawn or no key read; empty if all is well."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "it needs a terminal for input and output"
    if os.environ.get("TERM") == "dumb":
        return "it needs a terminal that can place a cursor, and TERM says dumb"
    return ""


def _embedded(options: argparse.Namespace) -> Embedded | None:
    """The instance to start, if there is none to attach to."""
    if options.test_size is None and (options.uri or os.environ.get("FLUX_URI")):
        _check(options.uri)
        return None
    if options.uri:
        raise ValueError("a URI and --test-size exclude each other")
    size = 4 if options.test_size is None else options.test_size
    if size < 1:
        raise ValueError(f"--test-size {size}: an instance has at least one broker")
    environ = {name: value for name, value in os.environ.items() if name != "FLUX_URI"}
    return Embedded(flux_command(options.flux, os.environ), size, environ)


def _check(uri: str | None) -> None:
    """Fail at once for a URI that leads nowhere; a broker that is busy is tried again later."""
    path = local_path(uri)
    if not Path(path).exists():
        raise FileNotFoundError(f"broker socket {path} was not found")


def _console(options: argparse.Namespace, embedded: Embedded | None) -> "FluxTop":
    # Imported here: while this takes its time, the embedded instance comes up.
    from fluxcore.handle.aio import connect
    from fluxtop.app import FluxTop
    from fluxtop.data.session import Session, located
    from fluxtop.desk import Desk
    from fluxtop.drafts import Drafts
    from fluxtop.glyphs import ASCII, UNICODE
    from fluxtop.keymap import load as load_keymap
    from fluxtop.places import settings_folder, state_folder, themes_folder
    from fluxtop.theming import DEFAULT, load_all

    folder = themes_folder()
    themes = load_all((folder, settings_folder() / "themes"))
    theme = options.theme or os.environ.get("FLUXTOP_THEME") or DEFAULT
    if theme not in themes:
        raise ValueError(f"no theme {theme}; there are {', '.join(themes)}")
    target = options.uri or os.environ.get("FLUX_URI", "")
    session = Session(
        embedded.uri if embedded else lambda: located(target),
        faults=lambda exc: app.fault(exc),
        dial=embedded.dial if embedded else connect,
    )
    desk = Desk(
        session,
        Drafts(state_folder() / "drafts"),
        glyphs=ASCII if options.ascii or os.environ.get("FLUXTOP_ASCII") else UNICODE,
        read_only=options.read_only,
        embedded=embedded is not None,
        keymap=load_keymap(settings_folder() / "keys.toml"),
    )
    app = FluxTop(desk, css=folder / "fluxtop.tcss", themes=themes, theme=theme)
    return app
