"""Lines of the PMI-1 wire protocol (RFC 13): ``cmd=put key=... value=...``."""

from typing import Final

from fluxcore.wire.errors import WireError

#: Limits that the server announces.
KVSNAME_MAX: Final = 64
KEY_MAX: Final = 64
VALUE_MAX: Final = 1024
_LINE_MAX: Final = 4096

#: Fields that may hold spaces and are therefore the last of their line.
_RUNS_ON: Final = ("value", "error_msg")


def encode(command: str, **fields: object) -> bytes:
    """A command and its fields as a line."""
    words = [f"cmd={command}", *(f"{name}={value}" for name, value in fields.items())]
    return (" ".join(words) + "\n").encode()


def decode(line: bytes) -> dict[str, str]:
    """The fields of a line without its newline. A value or message runs to the line's end.

    :raises WireError: it is no line of the protocol
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise WireError("PMI line is no text") from None
    head, rest = text, None
    for name in _RUNS_ON:
        head, found, value = text.partition(f" {name}=")
        if found:
            rest = (name, value)
            break
    fields: dict[str, str] = {}
    for word in head.split():
        name, equals, value = word.partition("=")
        if not equals:
            raise WireError(f"PMI line has a word without '=': {word}")
        fields[name] = value
    if rest is not None:
        fields[rest[0]] = rest[1]
    if "cmd" not in fields and "mcmd" not in fields:
        raise WireError("PMI line has no command")
    return fields


class LineReader:
    """Cuts a byte stream into lines, none longer than the protocol allows."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes.

        :raises WireError: a line is too long
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_MAX or any(len(line) > _LINE_MAX for line in lines):
            raise WireError("PMI line is too long")
        return lines
