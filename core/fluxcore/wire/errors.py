"""What reading bytes from outside can raise: always EPROTO, always the other side's mistake."""

import errno
import os


class WireError(OSError):
    """Bytes from outside are no message; the text says why (CONTRACTS A1-A3).

    The connection they came from is to be closed.
    """

    def __init__(self, text: str) -> None:
        super().__init__(errno.EPROTO, text)


class PayloadError(OSError):
    """A message's payload is not what its topic asks for (CONTRACTS A2).

    The request is to be answered with EPROTO; the connection lives on.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPROTO, os.strerror(errno.EPROTO))
