"""Is what the configuration names outside itself there: files, secrets, functions?

Nothing is executed: whether a module has a function is read from its source, because a check must not run the code
that it checks.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from config.models import Config, CustomConflict
from config.models.values import NamedFile, SecretReference
from config.problems import Finding, KeyPath
from config.secrets import SecretUnavailable, resolve
from config.units import shown


def check(config: Config, *, folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    for path, value in _values(config, ()):
        if isinstance(value, NamedFile):
            yield from _file(path, Path(value))
        elif isinstance(value, SecretReference):
            try:
                resolve(value, environ=environ)
            except SecretUnavailable as error:
                yield Finding(path, f"{value} with {error.found}", error.expected)
        elif isinstance(value, CustomConflict):
            yield from _function((*path, "custom"), value.custom, [folder, *(Path(entry) for entry in sys.path)])
    if config.geo.database != "bundled":
        yield from _file(("geo", "database"), Path(config.geo.database))


def _values(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Everything in the configuration, with the path at which it stands."""
    yield path, value
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _values(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _values(one, (*path, key))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from _values(one, (*path, index))


def _file(path: KeyPath, file: Path) -> Iterator[Finding]:
    try:
        if not file.exists():
            yield Finding(path, f"{shown(str(file))}, which does not exist", "a file")
        elif not file.is_file():
            yield Finding(path, f"{shown(str(file))}, which is no regular file", "a file")
        elif not os.access(file, os.R_OK):
            yield Finding(path, f"{shown(str(file))}, which this user may not read", "a readable file")
    except OSError as error:
        yield Finding(path, f"{shown(str(file))}, which cannot be looked at ({error.strerror})", "a readable file")


def _function(path: KeyPath, name: str, folders: Sequence[Path]) -> Iterator[Finding]:
    module, _, function = name.partition(":")
    source = _source(module, folders)
    if source is None:
        yield Finding(path, f"the module {module}, which is not found", "a module beside this file or installed")
        return
    try:
        syntax = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        yield Finding(path, f"the module {module}, which cannot be read ({error})", "a Python module")
        return
    functions = [node.name for node in syntax.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if function not in functions:
        yield Finding(path, f"no function {function} in {module}", f"one of {', '.join(functions) or 'none there'}")


def _source(module: str, folders: Sequence[Path]) -> Path | None:
    relative = Path(*module.split("."))
    for folder in folders:
        for candidate in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None
