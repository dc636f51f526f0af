"""How a command ends before its time."""


class CommandError(Exception):
    """The command failed: its name and ``text`` go to stderr; ``status`` is its exit code.

    An empty text says nothing: all there is to say has been written.
    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class UsageError(Exception):
    """The command was called wrongly: its help goes to stderr, behind ``text`` if there is one."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text


class BadOptionError(Exception):
    """An option's argument is of the wrong form."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class UnknownOptionError(BadOptionError):
    """There is no such option, or it takes no argument; ``option`` as it was given."""

    def __init__(self, option: str) -> None:
        super().__init__(f"unrecognized option '{option}'")
        self.option = option


class MissingArgumentError(BadOptionError):
    """An option lacks its argument; ``option`` as it was given."""

    def __init__(self, option: str) -> None:
        super().__init__(f"'{option}' missing argument")
        self.option = option
