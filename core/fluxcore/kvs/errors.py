"""What the KVS raises: an OSError with the errno of the contract and the errno's own words."""

import os


def kvs_error(errnum: int, text: str | None = None) -> OSError:
    """The OSError for ``errnum``: with ``text``, else with the errno's own words."""
    return OSError(errnum, text or os.strerror(errnum))
