"""Users as they are named on a command line."""

from typing import Final

from fluxcore.cli.errors import CommandError

#: The id that stands for every user, in requests that name one.
EVERY_USER: Final = 2**32 - 1


def parse_user(text: str) -> int:
    """The userid of the user ``text``, a name or a number; of every user for ``all``.

    :raises CommandError: there is no such user
    """
    if text == "all":
        return EVERY_USER
    import pwd

    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        if text.isascii() and text.isdigit():
            return int(text)
        raise CommandError(f"Invalid user {text} specified") from None
