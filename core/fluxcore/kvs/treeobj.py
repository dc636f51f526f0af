"""Tree objects: the nodes of the hash tree, as RFC 11 has them (CONTRACTS C1).

A tree object is a JSON object ``{"ver":1, "type":T, "data":D}`` and here a plain dictionary:

=========  ====================================================
val        ``data`` is the value in base64
valref     ``data`` is an array of blobrefs, the value's pieces
dir        ``data`` maps names to tree objects
dirref     ``data`` is an array of one blobref, of a stored dir
symlink    ``data`` is ``{"target":key, "namespace"?:name}``
=========  ====================================================

What is stored is their canonical form: compact JSON with sorted keys and no NUL, byte for byte
as flux-core writes it, so that the same tree has the same root reference in both.
"""

import errno
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final

import orjson

from fluxcore.kvs.blobref import valid_blobref
from fluxcore.kvs.errors import kvs_error

#: The JSON object itself; what ``data`` holds depends on ``type``.
Treeobj = dict[str, Any]

VERSION: Final = 1

#: A value whose base64 text is longer than this is stored in a blob of its own, a shorter one
#: inside its directory: flux-core's BLOBREF_MAX_STRING_SIZE. 54 bytes still go inside.
INLINE_MAX: Final = 72


# -- making them ---------------------------------------------------------------------------


def make_val(value: bytes) -> Treeobj:
    """A val that holds ``value``."""
    return {"ver": VERSION, "type": "val", "data": encode_base64(value)}


def make_valref(refs: list[str]) -> Treeobj:
    """A valref to the blobs ``refs``, whose concatenation is the value."""
    return {"ver": VERSION, "type": "valref", "data": refs}


def make_dir(entries: dict[str, Treeobj] | None = None) -> Treeobj:
    """A dir of ``entries``; without them, an empty one."""
    return {"ver": VERSION, "type": "dir", "data": {} if entries is None else entries}


def make_dirref(ref: str) -> Treeobj:
    """A dirref to the directory stored in blob ``ref``."""
    return {"ver": VERSION, "type": "dirref", "data": [ref]}


def make_symlink(target: str, namespace: str | None = None) -> Treeobj:
    """A symlink to key ``target`` of ``namespace``, by default of the one it is in."""
    data = {"target": target}
    if namespace is not None:
        data["namespace"] = namespace
    return {"ver": VERSION, "type": "symlink", "data": data}


# -- checking them -------------------------------------------------------------------------


def kind_of(obj: object) -> str | None:
    """The type of a tree object, None if ``obj`` is none; its data is not looked at."""
    if type(obj) is not dict or len(obj) != 3 or "data" not in obj:
        return None
    version, kind = obj.get("ver"), obj.get("type")
    if type(version) is not int or version != VERSION or type(kind) is not str:
        return None
    return kind


def is_valid(obj: object) -> bool:
    """True if ``obj`` is a tree object whose data is what its type asks for, all the way down."""
    todo = [obj]
    while todo:
        here = todo.pop()
        check = _DATA_CHECKS.get(kind_of(here) or "")
        if check is None:
            return False
        assert isinstance(here, dict)
        data = here["data"]
        if not check(data):
            return False
        if here["type"] == "dir":
            todo.extend(data.values())
    return True


def validate(obj: object) -> Treeobj:
    """``obj`` if it is a valid tree object.

    :raises OSError: EINVAL, it is none
    """
    if not is_valid(obj):
        raise kvs_error(errno.EINVAL)
    assert isinstance(obj, dict)
    return obj


def _is_refs(data: object) -> bool:
    return type(data) is list and bool(data) and all(map(valid_blobref, data))


def _is_link(data: object) -> bool:
    return (
        type(data) is dict
        and type(data.get("target")) is str
        and type(data.get("namespace", "")) is str
    )


_DATA_CHECKS: Final[dict[str, Callable[[object], bool]]] = {
    "val": lambda data: type(data) is str,
    "valref": _is_refs,
    "dir": lambda data: type(data) is dict,
    "dirref": _is_refs,
    "symlink": _is_link,
}


# -- taking them apart ---------------------------------------------------------------------


def val_bytes(obj: Treeobj) -> bytes:
    """The value that a val holds.

    :raises OSError: EINVAL, its data is no base64
    """
    return decode_base64(obj["data"], errno.EINVAL)


def single_ref(obj: Treeobj) -> str:
    """The one blobref of a dirref.

    :raises OSError: ENOTRECOVERABLE, it has several; RFC 11 has no meaning for them yet
    """
    refs: list[str] = obj["data"]
    if len(refs) != 1:
        raise kvs_error(errno.ENOTRECOVERABLE)
    return refs[0]


def link_of(obj: Treeobj) -> tuple[str | None, str]:
    """The namespace (None: the link's own) and the target key of a symlink."""
    data = obj["data"]
    return data.get("namespace"), data["target"]


# -- text ----------------------------------------------------------------------------------


def encode_base64(value: bytes) -> str:
    """``value`` in base64."""
    return b2a_base64(value, newline=False).decode()


def decode_base64(text: str, errnum: int) -> bytes:
    """What ``text`` stands for in base64; the padding may be missing.

    :raises OSError: ``errnum``, it is no base64
    """
    try:
        return a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except (Base64Error, ValueError):
        raise kvs_error(errnum) from None


def encode(obj: object) -> bytes:
    """The canonical form of a tree object, or of a part of one.

    :raises OSError: EINVAL, it has no JSON form or is nested too deeply
    """
    try:
        text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        raise kvs_error(errno.EINVAL) from None
    if b"\\u00" in text:
        text = _CONTROL.sub(_upper_hex, text)
    return text


# flux-core's JSON library writes control characters with upper-case digits, orjson with
# lower-case ones. An even number of backslashes before the escape belongs to the text.
_CONTROL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u00([01][0-9a-f])")


def _upper_hex(match: re.Match[bytes]) -> bytes:
    return match[1] + b"\\u00" + match[2].upper()


def decode(blob: bytes) -> Treeobj:
    """The tree object in ``blob``.

    :raises OSError: EPROTO, there is none
    """
    obj = load_json(blob)
    if not is_valid(obj):
        raise kvs_error(errno.EPROTO)
    assert isinstance(obj, dict)
    return obj


def load_json(blob: bytes) -> object:
    """The JSON value in ``blob``, None if there is none."""
    try:
        return orjson.loads(blob)
    except orjson.JSONDecodeError:
        return None


# -- canonical forms as they are -----------------------------------------------------------

_KIND_START: Final = b'"type":"'
_KIND_END: Final = b'","ver":1}'
_VALREF_END: Final = b'],"type":"valref","ver":1}'
_DIRREF_END: Final = b'"],"type":"dirref","ver":1}'
_REF_START: Final = b'{"data":["'


def valref_text(ref: str) -> bytes:
    """The canonical form of a valref to blob ``ref``."""
    return b'%b%b"%b' % (_REF_START, ref.encode(), _VALREF_END)


def dirref_text(ref: str) -> bytes:
    """The canonical form of a dirref to blob ``ref``."""
    return b"%b%b%b" % (_REF_START, ref.encode(), _DIRREF_END)


def dirref_in(text: bytes) -> str | None:
    """The blobref in the canonical dirref ``text``, None if it is another tree object.

    :raises OSError: ENOTRECOVERABLE, it has several
    """
    if not text.endswith(_DIRREF_END):
        return None
    ref = text[len(_REF_START) : -len(_DIRREF_END)]
    if b'"' in ref:
        raise kvs_error(errno.ENOTRECOVERABLE)
    return ref.decode()


def text_kind(text: bytes) -> str:
    """The type of the tree object whose canonical form is ``text``: it stands at the end."""
    assert text.endswith(_KIND_END)
    return text[: -len(_KIND_END)].rpartition(_KIND_START)[2].decode()


def grow_valref(text: bytes, ref: str) -> bytes:
    """The canonical valref ``text`` with blob ``ref`` added at its end.

    Spliced, not decoded: an event log's valref may hold thousands of blobrefs.
    """
    assert text.endswith(_VALREF_END)
    return b'%b,"%b"%b' % (text[: -len(_VALREF_END)], ref.encode(), _VALREF_END)
