"""JSON text and back: by orjson where it is at hand, else by the standard library.

orjson is several times faster, and whatever stays (a broker, a module, the console) imports it
long before its first message. For a command that sends one request and is gone, its import,
which brings dataclasses, uuid and platform along, would take longer than all the rest. So small
texts are left to the standard library as long as nobody has imported orjson. Either reads what
the other writes.
"""

import json
import sys
from typing import Any, Final, NoReturn

#: The levels that a text may have. orjson reads a thousand, and writes no more than 254: what comes
#: in must go out again, within something else.
DEPTH: Final = 200
_WRITABLE: Final = 254

#: From this many bytes on orjson's import is worth its while.
_LARGE: Final = 1 << 16


def dumps(obj: object) -> bytes:
    """``obj`` as compact JSON.

    :raises TypeError: it has no JSON form
    """
    orjson = sys.modules.get("orjson")
    if orjson is not None:
        data: bytes = orjson.dumps(obj)
        return data
    try:
        return _ENCODER.encode(obj).encode()
    except ValueError as exc:
        # NaN, a circle, a lone surrogate: orjson calls all of these type errors.
        raise TypeError(str(exc)) from None


def loads(data: bytes) -> Any:
    """What ``data`` stands for.

    :raises ValueError: it is no JSON, or nested too deeply to be passed on
    """
    orjson = sys.modules.get("orjson")
    if orjson is None and len(data) < _LARGE:
        try:
            return _DECODER.decode(data.decode())
        except RecursionError:
            raise ValueError("nested too deeply") from None
    import orjson as fast

    obj = fast.loads(data)
    if data.count(b"[") + data.count(b"{") > DEPTH:
        _check_depth(obj)
    return obj


def _check_depth(obj: object) -> None:
    import orjson

    for _ in range(_WRITABLE - DEPTH):
        obj = [obj]
    try:
        orjson.dumps(obj)
    except TypeError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
