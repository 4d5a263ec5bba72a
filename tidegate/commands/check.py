"""`tidegate check FILE`: every mistake of a file, with its place. `tidegate schema`: what a file may say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tidegate.commands import DONE, MISUSED

if TYPE_CHECKING:
    from config.problems import Problem


def check(file: Path, *, environ: Mapping[str, str], as_json: bool, out: TextIO) -> int:
    """Exit code 0 when the file could be served, warnings or not; 2 when it could not."""
    from config.loader import load_file  # noqa: PLC0415 - see the package's docstring
    from config.problems import ConfigurationError  # noqa: PLC0415

    digest: str | None = None
    problems: Sequence[Problem]
    try:
        loaded = load_file(file, environ=environ)
        problems, digest = loaded.warnings, loaded.digest
    except ConfigurationError as error:
        problems = error.problems
    errors = [problem for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    if as_json:
        _write_json(
            {
                "ok": digest is not None,
                "file": str(file),
                "digest": digest,
                "problems": [dataclasses.asdict(problem) for problem in errors],
                "warnings": [dataclasses.asdict(problem) for problem in warnings],
            },
            out,
        )
    else:
        for problem in problems:
            out.write(f"{'warning: ' if problem.severity == 'warning' else ''}{problem}\n")
        verdict = "good" if digest is not None else f"not usable, {_count(len(errors), 'mistake')}"
        also = f", {_count(len(warnings), 'warning')}" if warnings else ""
        out.write(f"{file}: {verdict}{also}\n")
    return DONE if digest is not None else MISUSED


def schema(out: TextIO) -> int:
    """JSON Schema (2020-12) of the file, for editors."""
    from config.schema import json_schema  # noqa: PLC0415 - see the package's docstring

    _write_json(json_schema(), out)
    return DONE


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _write_json(value: object, out: TextIO) -> None:
    json.dump(value, out, indent=2, ensure_ascii=False)
    out.write("\n")
