"""What is wrong with a configuration, and where.

    tidegate.yaml:10:13 routes[0].weight: found "many", expected a whole number

A problem that the environment caused has no line; the variable stands in the place of the file:

    environment variable TIDEGATE_NODE__REGION node.region: found "mars", expected one of eu-west, us-east
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

KeyPath = tuple[str | int, ...]
"""Where in the configuration: keys and list positions from the root."""


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


def written(path: Sequence[str | int]) -> str:
    """`services[0].health_check.interval`; the root is `(file)`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part) is None:
            text += f"[{json.dumps(part)}]"
        else:
            text += f".{part}" if text else part
    return text or "(file)"


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column count from 1; both are 0 where there is no line, as for an environment variable."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. An error keeps the configuration from being used, a warning does not."""

    severity: Literal["error", "warning"]
    file: str
    line: int
    column: int
    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{Place(self.file, self.line, self.column)} {self.path}: found {self.found}, expected {self.expected}"


def problem(
    place: Place, path: KeyPath, found: str, expected: str, severity: Literal["error", "warning"] = "error"
) -> Problem:
    return Problem(severity, place.file, place.line, place.column, written(path), found, expected)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """As a reader meets them: the file from top to bottom, then the environment; each once."""
    once = dict.fromkeys(problems)
    return tuple(sorted(once, key=lambda one: (one.line == 0, one.file, one.line, one.column, one.path)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of the configuration as a whole, before it is looked up where its path stands in the file."""

    path: KeyPath
    found: str
    expected: str
    severity: Literal["error", "warning"] = "error"
    is_key: bool = False
    """The key is the fault, not its value."""


class ConfigurationError(Exception):
    """The configuration cannot be used; `problems` are all its mistakes, warnings included."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(one) for one in self.problems))
