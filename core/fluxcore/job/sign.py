"""Signed jobspecs (RFC 39): ``header.payload.signature``, mechanism "none".

The header is RFC 38 key-value pairs, base64 encoded like the payload. "none" only claims a
userid; it is for the instance owner, whom the message's credentials have proved already.
"""

import base64
import binascii
import errno
from typing import Final

_KEYS: Final = frozenset(("version", "userid", "mechanism"))


def wrap(payload: bytes, userid: int) -> str:
    """``payload`` signed by ``userid`` with mechanism "none"."""
    header = f"version\0i1\0userid\0i{userid}\0mechanism\0snone\0".encode()
    return f"{_encode(header)}.{_encode(payload)}.none"


def unwrap(signed: str) -> tuple[bytes, int]:
    """The payload of ``signed`` and the userid that it claims.

    :raises OSError: EINVAL, with the text of CONTRACTS D2: it is malformed, or its mechanism
        is another
    """
    try:
        header, payload, signature = signed.split(".")
        if signature != "none":
            raise ValueError("another mechanism")
        return _decode(payload), _claimed_userid(_decode(header))
    except ValueError:
        raise OSError(errno.EINVAL, "could not unwrap jobspec: Invalid argument") from None


def unwrap_from(signed: str, requestor: int, *, is_owner: bool) -> bytes:
    """The payload of ``signed``, which ``requestor`` has sent; ``is_owner`` by its credentials.

    :raises OSError: as :func:`unwrap`
    :raises PermissionError: somebody else signed it, or a guest signed it with "none"
    """
    payload, signer = unwrap(signed)
    if signer != requestor:
        raise PermissionError(errno.EPERM, f"signer={signer} != requestor={requestor}")
    if not is_owner:
        raise PermissionError(errno.EPERM, "only instance owner can use sign-type=none")
    return payload


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError("no base64") from exc


def _claimed_userid(header: bytes) -> int:
    """The userid in a header, whose keys may come in any order."""
    *fields, rest = header.decode().split("\0")
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    userid = pairs.get("userid", "")
    if rest or pairs.keys() != _KEYS:
        raise ValueError("other keys")
    if pairs["version"] != "i1" or pairs["mechanism"] != "snone":
        raise ValueError("another version or mechanism")
    digits = userid[1:]
    if userid[:1] != "i" or not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise ValueError("no userid")
    if int(digits) > 0xFFFFFFFF:
        raise ValueError("no userid")
    return int(digits)
