"""Times as a user reads them at a glance."""


def duration(seconds: float) -> str:
    """A length of time in at most two units: ``0.4s``, ``42s``, ``4m 12s``, ``2d 05h``."""
    if seconds < 0:
        seconds = 0.0
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole // 60 % 60:02d}m"
    return f"{whole // 86400}d {whole // 3600 % 24:02d}h"


def age(seconds: float) -> str:
    """A length of time in whole seconds below a minute: ``0s``, ``42s``, ``4m 12s``."""
    return f"{int(max(seconds, 0))}s" if seconds < 10 else duration(seconds)
