"""Which environment variables a job gets, by the rules of ``--env`` and its kin.

Rules are applied in their order::

    -PATTERN     remove the variables that match
    ^FILE        read rules from a file
    PATTERN      take matching variables of our own environment that are not there
    NAME=VALUE   set one; $NAME in it is another variable's value
    NAME={{..}}  let the job's shell set one

A pattern is a shell glob, or a regular expression behind a slash.
"""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from string import Template

#: Gives the lines of a file.
ReadLines = Callable[[str], Iterable[str]]


class Environment:
    """A job's variables, and in ``expand`` those that its shell is to fill in."""

    def __init__(self, own: Mapping[str, str], read_lines: ReadLines) -> None:
        """Begin with our own variables."""
        self._own = own
        self._read_lines = read_lines
        self.variables = dict(own)
        self.expand: dict[str, str] = {}

    def apply(self, rules: Iterable[str]) -> None:
        """Apply rules.

        :raises ValueError: a rule names a variable or file that is not there, or is malformed
        """
        for rule in rules:
            if rule.startswith("-"):
                matches = matcher(rule[1:])
                self.variables = {n: v for n, v in self.variables.items() if not matches(n)}
            elif rule.startswith("^"):
                self.apply(self._lines(rule[1:]))
            elif "=" in rule:
                self._set(rule)
            else:
                matches = matcher(rule)
                taken = {name: value for name, value in self._own.items() if matches(name)}
                self.variables = {**taken, **self.variables} if taken else self.variables

    def _lines(self, path: str) -> Iterable[str]:
        try:
            return [line.strip() for line in self._read_lines(path)]
        except OSError as exc:
            raise ValueError(f"--env: {exc}") from None

    def _set(self, rule: str) -> None:
        name, _, value = rule.partition("=")
        if "{{" in value:
            self.expand[name] = value
            return
        known = ChainMap(self.variables, dict(self._own))
        try:
            self.variables[name] = Template(value).substitute(known)
        except ValueError:
            raise ValueError(f"--env: Unable to substitute {rule}") from None
        except KeyError as exc:
            raise ValueError(f"--env: Variable {exc} not found in {rule}") from None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches ``pattern``.

    :raises ValueError: it is no regular expression
    """
    text = pattern[1:].rstrip("/") if pattern.startswith("/") else translate(pattern)
    try:
        compiled = re.compile(text)
    except re.error as exc:
        raise ValueError(f"invalid pattern '{pattern}': {exc}") from None
    return lambda name: compiled.match(name) is not None
