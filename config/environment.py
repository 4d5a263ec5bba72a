"""What the environment says instead of the file, so that all nodes can read the same file.

    TIDEGATE_NODE__REGION=us-east           node.region
    TIDEGATE_LISTENERS__0__BIND=[::]:8080   listeners[0].bind
    TIDEGATE_NODE='{workers: 4}'            node, in YAML's short form

A name that leads nowhere is an error: a misspelt override that is passed over in silence would be found in production.
Not overrides are the variables that the command line reads itself, those that the file refers to as `env:NAME`, and
those that Kubernetes sets in every pod for a Service that happens to be called tidegate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from config.document import Data, Document, child, parse_value
from config.faults import one_of
from config.keys import is_free_mapping, keys_at, types_at
from config.problems import KeyPath, Place, Problem, problem, written

PREFIX = "TIDEGATE_"

RESERVED = frozenset({"TIDEGATE_ADMIN", "TIDEGATE_TOKEN", "TIDEGATE_CONFIG", "TIDEGATE_KEY", "TIDEGATE_DATA_KEY"})
"""Read by the command line (API.md), or the customary names of the mesh's keys."""

_SERVICE_LINK = re.compile(
    r"TIDEGATE(?:_[A-Z0-9]+)*_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
"""Kubernetes' service links; they never hold two underscores in a row, which a name of ours with two parts does."""


def apply(document: Document, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Write the overrides into the document, in the order of their names; what went wrong comes back."""
    referenced = {name.removeprefix("env:") for name in _texts(document.root) if name.startswith("env:")}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in RESERVED or variable in referenced:
            continue
        if "__" not in variable and _SERVICE_LINK.fullmatch(variable) is not None:
            continue
        yield from _Override(document, variable, environ[variable]).apply()


class _Override:
    def __init__(self, document: Document, variable: str, value: str) -> None:
        self.document = document
        self.variable = variable
        self.value = value
        self.place = Place(f"environment variable {variable}", 0, 0)

    def apply(self) -> Iterator[Problem]:
        path: KeyPath = ()
        container: Data = self.document.root
        parts = self.variable.removeprefix(PREFIX).split("__")
        for position, part in enumerate(parts):
            step = self._step(container, path, part)
            if isinstance(step, Problem):
                yield step
                return
            path = (*path, step)
            if position == len(parts) - 1:
                self._set(container, step, path)
            else:
                container = self._descend(container, step, path)

    def _step(self, container: Data, path: KeyPath, part: str) -> str | int | Problem:
        """The key or index that this part of the name means."""
        if isinstance(container, list):
            return self._position(container, path, part)
        if isinstance(container, dict):
            return self._key(container, path, part)
        return self._problem(path, f"{part} in its name below a single value", "no further part")

    def _position(self, container: list[Data], path: KeyPath, part: str) -> int | Problem:
        if not part.isascii() or not part.isdigit() or len(part) > 6:
            return self._problem(path, f"{part} in its name", "a position in the list, counted from 0")
        if int(part) > len(container):
            expected = f"0 to {len(container)}" if container else "0"
            return self._problem(path, f"position {part} of a list of {len(container)}", expected)
        return int(part)

    def _key(self, container: dict[str, Data], path: KeyPath, part: str) -> str | Problem:
        key = part.lower()
        if is_free_mapping(path, self.document.root):
            present = {name.lower().replace("-", "_"): name for name in container}
            return present.get(key, key)
        known = keys_at(path, self.document.root)
        if key not in known:
            meant = self._with_two_underscores(path, key) or one_of(known, key)
            return self._problem((*path, key), "no such option", self._name(path, meant))
        return key

    def _with_two_underscores(self, path: KeyPath, key: str) -> str | None:
        """TIDEGATE_NODE_REGION is nearly always meant as TIDEGATE_NODE__REGION."""
        for known in keys_at(path, self.document.root):
            rest = key.removeprefix(f"{known}_")
            if rest != key and rest in keys_at((*path, known), self.document.root):
                return f"{known}__{rest}"
        return None

    def _descend(self, container: Data, step: str | int, path: KeyPath) -> Data:
        """The value at the step; where there is none yet, a collection of the kind that belongs there."""
        below = child(container, step)
        if below is None:
            below = {} if keys_at(path, self.document.root) or is_free_mapping(path, self.document.root) else None
            if below is None and any(getattr(one, "__origin__", None) is tuple for one in self._types(path)):
                below = []
            if below is not None:
                self._put(container, step, below, path)
        return below

    def _set(self, container: Data, step: str | int, path: KeyPath) -> None:
        is_yaml, value = parse_value(self.value)
        self._put(container, step, value if is_yaml else self.value, path)

    def _put(self, container: Data, step: str | int, value: Data, path: KeyPath) -> None:
        for known in [one for one in self.document.values if one[: len(path)] == path]:
            del self.document.values[known]
            self.document.keys.pop(known, None)
        self.document.values[path] = self.document.keys[path] = self.place
        if isinstance(container, dict) and isinstance(step, str):
            container[step] = value
        elif isinstance(container, list) and isinstance(step, int):
            container[step : step + 1] = [value]

    def _types(self, path: KeyPath) -> tuple[object, ...]:
        return types_at(path, self.document.root)

    def _problem(self, path: KeyPath, found: str, expected: str) -> Problem:
        return problem(self.place, path, found, expected)

    def _name(self, path: KeyPath, known: str) -> str:
        """The variable that was probably meant."""
        if " " in known:
            return f"{known} below {written(path)}" if path else known
        parts = [str(part).upper().replace("-", "_") for part in (*path, known)]
        return PREFIX + "__".join(parts)


def _texts(data: Data) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
