"""What a tree of files contains, as the rules of this folder see it: modules, what they import, which files count.

Nothing is imported or run: modules are parsed, so a rule can be shown to fail on a planted tree under `tmp_path`.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

PACKAGES = ("tidegate", "gateway", "sync", "health", "config", "chaos")
"""The only top-level packages; the wheel holds exactly these."""

SUPPORT = ("tests", "bench", "scripts")
"""Python that is not shipped: it may import everything."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, whole: `from config import models` is `config.models` with `container` `config`."""

    target: str
    container: str
    line: int

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One Python file of the tree."""

    path: Path
    """Relative to the tree's root."""
    source: str

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @property
    def top(self) -> str:
        return self.path.parts[0]

    @property
    def is_core(self) -> bool:
        return "core" in self.path.parts[:-1]

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.source, filename=str(self.path))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, wherever it stands: at the top, in a function, under TYPE_CHECKING."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                container = self._absolute(node)
                for alias in node.names:
                    target = container if alias.name == "*" else f"{container}.{alias.name}"
                    yield Import(target, container, node.lineno)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, node.module] if node.module else parts)

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


def modules(root: Path, tops: tuple[str, ...] = PACKAGES) -> list[Module]:
    """Every Python file below the given top-level folders, in a stable order."""
    return [
        Module(path.relative_to(root), path.read_text(encoding="utf-8"))
        for top in tops
        for path in sorted((root / top).rglob("*.py"))
        if "__pycache__" not in path.parts
    ]


def files(root: Path) -> list[Path]:
    """Every file that is or would be committed: what git tracks or would add; all of them where there is no git."""
    if not (root / ".git").exists():
        return sorted(path for path in root.rglob("*") if path.is_file())
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (root / name for name in listed.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def plant(root: Path, sources: dict[str, str]) -> Path:
    """Write a small tree for a rule to judge."""
    for name, source in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root


def expect_none(violations: Iterable[str]) -> None:
    """Fail with every violation on a line of its own."""
    if found := list(violations):
        pytest.fail("\n".join([f"{len(found)} found:", *found]), pytrace=False)
