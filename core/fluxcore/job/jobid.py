"""Job ids (RFC 19): 64 bit FLUIDs, the forms they are written in, and how they are made.

An id is a plain int: 40 bits of milliseconds since the instance's epoch, 14 bits of generator
id (the rank that made it), 10 bits of sequence number. :func:`parse` reads every form that a
user may type, :func:`encode` writes one::

    >>> parse("ƒNH")
    1234
    >>> encode(1234, "kvs")
    'job.0000.0000.0000.04d2'
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

#: The forms that :func:`encode` knows.
FORMS: Final = ("dec", "hex", "kvs", "dothex", "words", "f58", "f58plain", "emoji")

MAX_ID: Final = 2**64 - 1
GENERATOR_BITS: Final = 14
SEQUENCE_BITS: Final = 10

_MS: Final = 1_000_000
_F58_PREFIX: Final = "\N{LATIN SMALL LETTER F WITH HOOK}"
_B58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_HEX: Final = frozenset("0123456789abcdefABCDEF")


# -- reading --------------------------------------------------------------------------------


def parse(text: str) -> int:
    """The id that ``text`` stands for, in any form (RFC 19, CONTRACTS D3).

    Spaces around it are ignored, and so is the prefix ``job.`` of a KVS key.

    :raises ValueError: "malformed input": it is no id in any form, or one beyond 64 bits
    """
    text = text.strip().removeprefix("job.")
    value = _decoder(text)(text)
    if value > MAX_ID:
        raise ValueError("malformed input")
    return value


def _decoder(text: str) -> Callable[[str], int]:
    """Which form ``text`` is in; the order of the questions is RFC 19's."""
    if "." in text:
        return _parse_dothex
    if "-" in text:
        return _parse_words
    if text.startswith((_F58_PREFIX, "f")):
        return _parse_f58
    if text.startswith("0x"):
        return _parse_hex
    if text.isascii() and text.isdigit():
        return int
    return _parse_emoji


def _parse_dothex(text: str) -> int:
    value = 0
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError("malformed input")
    for part in parts:
        if not 1 <= len(part) <= 4 or not _HEX.issuperset(part):
            raise ValueError("malformed input")
        value = value << 16 | int(part, 16)
    return value


def _parse_words(text: str) -> int:
    from fluxcore.job import mnemonic

    return mnemonic.decode(text)


def _parse_f58(text: str) -> int:
    digits = text[1:]
    value = 0
    # 12 digits hold 64 bits; a longer text would only cost time.
    if not 1 <= len(digits) <= 12:
        raise ValueError("malformed input")
    for char in digits:
        digit = _B58.find(char)
        if digit < 0:
            raise ValueError("malformed input")
        value = value * 58 + digit
    return value


def _parse_hex(text: str) -> int:
    if not 3 <= len(text) <= 18 or not _HEX.issuperset(text[2:]):
        raise ValueError("malformed input")
    return int(text[2:], 16)


def _parse_emoji(text: str) -> int:
    from fluxcore.job import basemoji

    if not 1 <= len(text) <= 7:
        raise ValueError("malformed input")
    return basemoji.decode(text)


# -- writing --------------------------------------------------------------------------------


def encode(jobid: int, form: str = "f58", *, ascii_only: bool = False) -> str:
    """``jobid`` in one of :data:`FORMS`.

    ``ascii_only`` gives f58 its ASCII prefix; see :func:`wants_ascii`.

    :raises ValueError: the form is unknown
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise ValueError(f"Unknown to={form}")
    if ascii_only and form == "f58":
        writer = f58plain
    return writer(jobid & MAX_ID)


def f58(jobid: int, *, ascii_only: bool = False) -> str:
    """``jobid`` in base 58 behind U+0192: what users see."""
    return ("f" if ascii_only else _F58_PREFIX) + _base58(jobid)


def f58plain(jobid: int) -> str:
    """``jobid`` in base 58 behind an ASCII ``f``: for topics and file names."""
    return "f" + _base58(jobid)


def dothex(jobid: int) -> str:
    """``jobid`` as four dotted groups of 16 bits: how KVS keys and the job schema have it."""
    digits = f"{jobid & MAX_ID:016x}"
    return f"{digits[:4]}.{digits[4:8]}.{digits[8:12]}.{digits[12:]}"


def kvs_key(jobid: int, name: str = "") -> str:
    """The KVS directory of a job (RFC 16), or the key ``name`` in it."""
    return f"job.{dothex(jobid)}.{name}" if name else "job." + dothex(jobid)


def wants_ascii(environ: Mapping[str, str], encoding: str) -> bool:
    """True if f58 must be ASCII: the locale's encoding is not UTF-8, or the user says so.

    ``encoding`` is what ``locale.getencoding()`` says (CONTRACTS D3).
    """
    utf8 = encoding.lower().replace("-", "").replace("_", "") == "utf8"
    return not utf8 or "FLUX_F58_FORCE_ASCII" in environ


@lru_cache(1024)  # a job's id is written again and again while it begins
def _base58(value: int) -> str:
    text = ""
    value &= MAX_ID  # it comes from JSON, which has no unsigned numbers
    while value or not text:
        value, digit = divmod(value, 58)
        text = _B58[digit] + text
    return text


def _words(jobid: int) -> str:
    from fluxcore.job import mnemonic

    return mnemonic.encode(jobid)


def _emoji(jobid: int) -> str:
    from fluxcore.job import basemoji

    return basemoji.encode(jobid)


_WRITERS: Final[Mapping[str, Callable[[int], str]]] = {
    "dec": str,
    "hex": hex,
    "kvs": kvs_key,
    "dothex": dothex,
    "words": _words,
    "f58": f58,
    "f58plain": f58plain,
    "emoji": _emoji,
}


# -- making ---------------------------------------------------------------------------------


def timestamp(jobid: int) -> int:
    """Milliseconds from the instance's epoch to the making of ``jobid``."""
    return jobid >> (GENERATOR_BITS + SEQUENCE_BITS)


class FluidGenerator:
    """Makes ids that only grow (RFC 19).

    ``generator`` is below 2**14 and tells apart who makes ids at the same time: the rank.
    ``clock`` is a monotonic clock in nanoseconds (``time.monotonic_ns``). ``start`` is the first
    timestamp in milliseconds: an instance that starts again continues after the greatest id it
    has, with ``timestamp(max_jobid) + 1``.
    """

    __slots__ = ("_clock", "_generator", "_next", "_zero")

    def __init__(self, generator: int, clock: Callable[[], int], start: int = 0) -> None:
        if not 0 <= generator < 1 << GENERATOR_BITS:
            raise ValueError(f"generator id {generator} is out of range")
        self._clock = clock
        self._generator = generator << SEQUENCE_BITS
        self._zero = clock() - start * _MS
        # Timestamp and sequence number of the next id, as one number that is counted up.
        self._next = start << SEQUENCE_BITS

    def timestamp(self) -> int:
        """The timestamp that the next id would have, in milliseconds."""
        now = (self._clock() - self._zero) // _MS
        return max(now, self._next >> SEQUENCE_BITS)

    def generate(self) -> int:
        """A new id.

        More than 1,024 in a millisecond take their numbers from the next one: ids then run
        ahead of the clock instead of making the caller wait.

        :raises OverflowError: 35 years have passed since the epoch
        """
        count = max(self._next, self.timestamp() << SEQUENCE_BITS)
        if count >> (64 - GENERATOR_BITS):
            raise OverflowError("the timestamps of this instance are used up")
        self._next = count + 1
        stamp, sequence = divmod(count, 1 << SEQUENCE_BITS)
        return stamp << (GENERATOR_BITS + SEQUENCE_BITS) | self._generator | sequence
