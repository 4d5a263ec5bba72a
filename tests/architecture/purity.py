"""What a module under `core/` may touch: values, and nothing that has to do with the world outside.

No sockets, files, clocks, chance, environment, log or tasks: `now` and `rng` come as arguments. The rule is a list of
what may be imported, so that what nobody thought of is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import PACKAGES, Import, Module, modules

# fmt: off
STANDARD = frozenset({
    "__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac", "ipaddress",
    "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string", "struct",
    "types", "typing", "warnings", "zlib",
})
# fmt: on
"""Computation only. `datetime` and `random` are here for their types: see `BANNED_ATTRIBUTES` and `_chance`."""

STANDARD_PARTS = frozenset({"http", "http.HTTPMethod", "http.HTTPStatus", "urllib.parse"})
"""Pure parts of packages that are not."""

THIRD_PARTY = {
    "msgspec": "frozen structs and JSON of values",
    "pydantic": "validation of values",
    "h2": "HTTP/2 as a machine of states: bytes in, events out, no I/O",
    "joserfc": "signatures of values by values, no I/O",
    "httptools": "llhttp: bytes in, verdict out, no I/O",
    "xxhash": "a hash of bytes",
    "cronsim": "dates after a date, by cron's rules",
    "cel": "expressions over values",
    "brotli": "compression of bytes in memory",
    "zstandard": "compression of bytes in memory",
}

OURS = ("config.models", "config.problems", "config.units", "gateway.errors", "gateway.messages")
"""Modules outside `core/` that hold values only; held to the same rule themselves."""

BANNED_CALLS = frozenset({"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__", "id"})
"""`id` because an address is chance: an order built on it differs from run to run."""

BANNED_ATTRIBUTES = {
    "datetime": frozenset({"now", "utcnow", "today", "fromtimestamp"}),
    "date": frozenset({"today", "fromtimestamp"}),
}
"""Clocks, and conversions that read the machine's time zone; `fromtimestamp(t, tz=...)` is excused below."""


def impurities(root: Path) -> Iterator[str]:
    """Everything under `core/`, and in the modules that `core/` may use, that is not pure."""
    for module in modules(root):
        if module.is_core or _is_ours_pure(module.name):
            yield from _foreign_imports(module)
            yield from _banned_calls(module)
            yield from _chance(module)


def _is_ours_pure(name: str) -> bool:
    return any(name == pure or name.startswith(f"{pure}.") for pure in OURS)


def _foreign_imports(module: Module) -> Iterator[str]:
    for imported in module.imports:
        if not _may_import(imported):
            where = module.at(imported.line)
            yield f"{where} imports {imported.target}, expected only what tests/architecture/purity.py lists"


def _may_import(imported: Import) -> bool:
    if imported.top in PACKAGES:
        return "core" in imported.target.split(".") or _is_ours_pure(imported.target)
    if imported.top in STANDARD or imported.top in THIRD_PARTY:
        return True
    return imported.target in STANDARD_PARTS or imported.container in STANDARD_PARTS


def _banned_calls(module: Module) -> Iterator[str]:
    for node in ast.walk(module.syntax):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in BANNED_CALLS:
            yield f"{module.at(node.lineno)} calls {called.id}(), expected no I/O, no code from text, no identity"
        elif isinstance(called, ast.Attribute):
            owner = ast.unparse(called.value).rpartition(".")[2]
            names_zone = called.attr == "fromtimestamp" and (len(node.args) > 1 or bool(node.keywords))
            if called.attr in BANNED_ATTRIBUTES.get(owner, ()) and not names_zone:
                yield f"{module.at(node.lineno)} calls {owner}.{called.attr}(), expected `now` as an argument"


def _chance(module: Module) -> Iterator[str]:
    """`random.Random` is a type, or made from a given seed; without one it asks the machine for chance."""
    for imported in module.imports:
        if imported.container == "random" and imported.target not in {"random", "random.Random"}:
            yield f"{module.at(imported.line)} imports {imported.target}, expected `rng: random.Random` as an argument"
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"random.Random", "Random"}:
            if not node.args:
                yield f"{module.at(node.lineno)} makes a Random without a seed, expected `rng` as an argument"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random" and node.attr != "Random":
            yield f"{module.at(node.lineno)} uses random.{node.attr}, expected `rng: random.Random` as an argument"
