"""The formats of ``flux jobs`` that have a name."""

import re
from collections.abc import Mapping
from typing import Final

#: Name to what it is for, and the format.
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "default": (
        "Default flux-jobs format string",
        "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
        "{status_abbrev:>2.2} {ntasks:>6} {nnodes:>6h} "
        "{contextual_time!F:>8h} {contextual_info}",
    ),
    "cute": (
        "Cute flux-jobs format string (default with emojis)",
        "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
        "{status_emoji:>5.5} {ntasks:>6} {nnodes:>6h} "
        "{contextual_time!F:>8h} {contextual_info}",
    ),
    "long": (
        "Extended flux-jobs format string",
        "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
        "{status:>9.9} {ntasks:>6} {nnodes:>6h} "
        "{t_submit!d:%b%d %R::>12} {t_remaining!F:>12h} "
        "{contextual_time!F:>8h} {contextual_info}",
    ),
    "deps": (
        "Show job urgency, priority, and dependencies",
        "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} "
        "{priority:<12} {state:<8.8} {dependencies}",
    ),
    "endreason": (
        "Show why each job ended",
        "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
        "{status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}",
    ),
}

#: The environment's word on what "default" is: a name or a format.
DEFAULT_VARIABLE: Final = "FLUX_JOBS_FORMAT_DEFAULT"


def find_format(name: str, environ: Mapping[str, str]) -> str:
    """The format of that name; what has braces in it is a format itself.

    :raises ValueError: there is none
    """
    if name == "default":
        name = environ.get(DEFAULT_VARIABLE, name)
    if "{" in name:
        return name
    if name not in FORMATS:
        guess = re.sub(r"\w+", r"{\g<0>}", name)
        raise ValueError(f"--format: No such format {name} (Did you mean '{guess}'?)")
    return FORMATS[name][1]


def list_formats() -> str:
    """The names, with what each is for."""
    lines = [f"  {name:<12} {about}\n" for name, (about, _) in FORMATS.items()]
    return f"\nConfigured flux-jobs output formats:\n\n{''.join(lines)}"
