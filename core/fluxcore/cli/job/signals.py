"""Signals by name."""

from signal import Signals


def parse_signal(text: str) -> int | None:
    """The number of a signal given by number or name, with or without SIG; None if it is none."""
    if text.isascii() and text.isdigit():
        number = int(text)
        return number if 0 < number <= 64 else None
    name = text if text.startswith("SIG") else f"SIG{text}"
    return Signals[name].value if name in Signals.__members__ else None
