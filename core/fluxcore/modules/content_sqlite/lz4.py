"""Decompressing LZ4 blocks, as flux-core's files hold them (LZ4 block format, version 1.6).

We do not compress; this is for a state directory that comes from flux-core.
"""

import errno

from fluxcore.handle.errors import rpc_error


def decompress(block: bytes, size: int) -> bytes:
    """What ``block`` holds, which is ``size`` bytes.

    A block is a list of sequences: literal bytes, then a match, which repeats bytes from
    ``offset`` back. The last sequence has no match.

    :raises OSError: EINVAL, it is no such block
    """
    out = bytearray()
    at = 0
    try:
        while True:
            token = block[at]
            count, at = _length(block, at + 1, token >> 4)
            if at + count > len(block):
                break
            out += block[at : at + count]
            at += count
            if at == len(block):
                break
            offset = block[at] | block[at + 1] << 8
            count, at = _length(block, at + 2, token & 15)
            if not 0 < offset <= len(out) or len(out) + count + 4 > size:
                break
            _repeat(out, offset, count + 4)
    except IndexError:
        at = -1
    if at != len(block) or len(out) != size:
        raise rpc_error(errno.EINVAL, "blob is no LZ4 block of its size")
    return bytes(out)


def _length(block: bytes, at: int, count: int) -> tuple[int, int]:
    """A length that starts with four bits, of which 15 says that more bytes follow."""
    if count == 15:
        while True:
            more = block[at]
            at += 1
            count += more
            if more != 255:
                break
    return count, at


def _repeat(out: bytearray, offset: int, count: int) -> None:
    """Append ``count`` bytes from ``offset`` back, which may be some of those appended."""
    piece = bytes(out[-offset:])
    out += (piece * (count // offset + 1))[:count]
