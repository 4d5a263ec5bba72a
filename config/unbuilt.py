"""Options of the format whose feature this version does not have. Each is refused by name, never ignored.

The table below is the whole truth: one line an option, with what to do instead. When a feature is built its line goes,
and the option opens. `[]` stands for every position of a list, `*` for every key of a mapping. A value that asks for
nothing (null, false, an empty list or mapping, `none`, a block with `enabled: false`) passes; so does a value named in
its line because it says what happens anyway. The models' default of an option in the table is the contract's, for the
day it opens; until then nothing reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.document import Data, Document
from config.problems import KeyPath, Problem, problem
from config.units import shown


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """`path` is refused, except for the values in `built` and those that ask for nothing."""

    path: str
    built: tuple[Data, ...] = ()
    instead: str = ""

    def expected(self, path: KeyPath) -> str:
        if self.instead:
            return self.instead
        if self.built:
            return f"{' or '.join(_shown(value) for value in self.built)}; change or remove {path[-1]}"
        return f"no {path[-1]}; remove it"


UNBUILT = (Unbuilt("observability.metrics.granularity", ("detailed",)),)


def refusals(document: Document, table: Sequence[Unbuilt] = UNBUILT) -> Iterator[Problem]:
    """A problem for each option that is written and not built, at the place of its key."""
    for entry in table:
        for path, value in _found(document.root, _parts(entry.path), ()):
            if not _asks_for_nothing(value) and value not in entry.built:
                what = f"{path[-1]}: {_shown(value)}" if _is_single(value) and entry.built else path[-1]
                found = f"{what}, which this version of Tidegate does not have yet"
                yield problem(document.key_place(path), path, found, entry.expected(path))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.replace("[]", ".[]").split("."))


def _found(data: Data, parts: Sequence[str], path: KeyPath) -> Iterator[tuple[KeyPath, Data]]:
    if not parts:
        yield path, data
    elif parts[0] == "[]":
        if isinstance(data, list):
            for index, item in enumerate(data):
                yield from _found(item, parts[1:], (*path, index))
    elif isinstance(data, dict) and parts[0] in data:
        yield from _found(data[parts[0]], parts[1:], (*path, parts[0]))


def _asks_for_nothing(value: Data) -> bool:
    """null, false, none, the empty, what is switched off, and blocks of nothing else."""
    if isinstance(value, dict):
        return value.get("enabled") is False or all(_asks_for_nothing(one) for one in value.values())
    if isinstance(value, list):
        return not value
    return value is None or value is False or value == "none"


def _is_single(value: Data) -> bool:
    return not isinstance(value, dict | list)


def _shown(value: Data) -> str:
    return value if isinstance(value, str) else shown(value)
