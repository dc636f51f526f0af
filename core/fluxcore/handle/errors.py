"""What a handle can raise.

An RPC that fails raises the OSError that its errno maps to, with the service's text, so
``except FileNotFoundError`` works::

    OSError
    +-- FileNotFoundError, FileExistsError, PermissionError, ...  by the response's errno
    +-- TimeoutError           the deadline given to the call has passed (ETIMEDOUT)
    +-- ConnectionError        the connector is gone (ECONNREFUSED, ECONNRESET, EPIPE)
    +-- WireError              bytes from outside are no message (EPROTO)

A mistake of the caller's own (an RPC on a closed handle, a method registered twice) is a
RuntimeError or ValueError and never an OSError.
"""

import errno
import os


def rpc_error(errnum: int, text: str | None = None) -> OSError:
    """The OSError for ``errnum``: with ``text``, else with the errno's own words.

    A handler raises it to fail a request; an error response's text is left out on the wire
    when it only repeats the errno's (RFC 6).
    """
    return OSError(errnum or errno.EINVAL, text or os.strerror(errnum))
