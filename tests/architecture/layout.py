"""Where things are and how big they may get.

<package>/<path>/<module>.py   is shown by   tests/unit/<package>/<path>/test_<module>.py
                               or            tests/integration/<package>/<path>/test_<module>.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture.tree import PACKAGES, SUPPORT, modules

MODULE_LINES = 400
FUNCTION_LINES = 60
"""Beyond what fits a screen, a reader has to remember instead of look. Docstrings do not count."""

PLACELESS_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"})
"""Names that say where things were put, not what they are."""

KINDS_OF_TESTS = ("unit", "integration")

IGNORED = frozenset({".git", ".venv", ".tools", "__pycache__"})


def stray_packages(root: Path) -> Iterator[str]:
    """Top-level folders with Python in them that are none of ours, and Python at the root."""
    known = {*PACKAGES, *SUPPORT}
    for path in sorted(root.iterdir()):
        if path.name in known or path.name in IGNORED or path.name.startswith("."):
            continue
        if path.is_dir() and any("site-packages" not in found.parts for found in path.rglob("*.py")):
            yield f"{path.name}/ holds Python, expected only {', '.join((*PACKAGES, *SUPPORT))}"
        elif path.suffix == ".py":
            yield f"{path.name} stands at the root, expected in a package"


def unmirrored_modules(root: Path, exempt: Mapping[str, str]) -> Iterator[str]:
    """Modules without a test file of their own, and excuses that are not needed."""
    missing: dict[str, str] = {}
    for module in modules(root):
        if module.path.name in {"__init__.py", "__main__.py"}:
            continue
        mirrored = module.path.parent / f"test_{module.path.name}"
        if not any((root / "tests" / kind / mirrored).exists() for kind in KINDS_OF_TESTS):
            missing[str(module.path)] = f"{module.path} has no test, expected tests/unit/{mirrored}"
    yield from _excused(missing, exempt, "UNMIRRORED")


def orphaned_tests(root: Path) -> Iterator[str]:
    """Unit tests of a module that does not exist: it was renamed, or the test is an integration test."""
    for package in PACKAGES:
        for path in sorted((root / "tests" / "unit" / package).rglob("test_*.py")):
            relative = path.relative_to(root / "tests" / "unit")
            source = relative.parent / relative.name.removeprefix("test_")
            is_package = relative.name == "test___init__.py" or (root / source.with_suffix("") / "__init__.py").exists()
            if not (root / source).exists() and not is_package:
                yield f"tests/unit/{relative} mirrors nothing, expected {source}"


def long_modules(root: Path, exempt: Mapping[str, str]) -> Iterator[str]:
    found: dict[str, str] = {}
    for module in modules(root):
        lines = module.source.count("\n")
        if lines > MODULE_LINES:
            found[str(module.path)] = f"{module.path} has {lines} lines, expected at most {MODULE_LINES}"
    yield from _excused(found, exempt, "LONG_MODULES")


def long_functions(root: Path, exempt: Mapping[str, str]) -> Iterator[str]:
    found: dict[str, str] = {}
    for module in modules(root):
        for name, node in _functions(module.syntax, ""):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if lines > FUNCTION_LINES:
                key = f"{module.path}::{name}"
                found[key] = f"{key} has {lines} lines, expected at most {FUNCTION_LINES}"
    yield from _excused(found, exempt, "LONG_FUNCTIONS")


def speechless_modules(root: Path) -> Iterator[str]:
    """Modules that do not start by saying what they are for."""
    for module in modules(root):
        if ast.get_docstring(module.syntax) is None:
            yield f"{module.path} starts without a docstring, expected the question that it answers"


def placeless_names(root: Path) -> Iterator[str]:
    for module in modules(root):
        for part in module.path.with_suffix("").parts:
            if part in PLACELESS_NAMES:
                yield f"{module.path} is named `{part}`, expected a noun that a newcomer would ask about"


def tests_as_packages(root: Path) -> Iterator[str]:
    """`__init__.py` below tests/: pytest runs in importlib mode, where they only breed import surprises."""
    for path in sorted((root / "tests").rglob("__init__.py")):
        yield f"{path.relative_to(root)} makes tests a package, expected none"


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _excused(found: Mapping[str, str], exempt: Mapping[str, str], listed_as: str) -> Iterator[str]:
    yield from (sentence for key, sentence in found.items() if key not in exempt)
    for key, reason in exempt.items():
        if key not in found:
            yield f"{key} is excused by {listed_as} in tests/architecture/exemptions.py and needs no excuse"
        elif not reason.strip():
            yield f"{key} is excused by {listed_as} in tests/architecture/exemptions.py without a reason"
