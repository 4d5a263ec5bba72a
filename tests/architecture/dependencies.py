"""Every dependency has its reason, every reason its dependency, and nothing is imported that is not declared.

The reasons stand in docs/dependencies.md, in tables whose first column is the package's name in back-quotes.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.architecture.tree import PACKAGES, SUPPORT, modules

DOCUMENT = Path("docs/dependencies.md")
ROW = re.compile(r"^\| *`(?P<name>[A-Za-z0-9._-]+)`[^|]*\|(?P<cells>.*)\|\s*$", re.MULTILINE)
REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")


def declared(root: Path) -> dict[str, set[str]]:
    """Package name -> groups that ask for it: `run`, an extra's name, `dev`, `build`."""
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    groups: dict[str, list[str | dict[str, str]]] = {
        "run": project["project"].get("dependencies", []),
        **project["project"].get("optional-dependencies", {}),
        "build": project.get("build-system", {}).get("requires", []),
        **project.get("dependency-groups", {}),
    }
    found: dict[str, set[str]] = {}
    for group, requirements in groups.items():
        for requirement in requirements:
            if isinstance(requirement, dict):
                continue  # a group that includes another, which is read for itself
            name = _normal(_name(requirement))
            if name != _normal(project["project"]["name"]):
                found.setdefault(name, set()).add(group)
    return found


def unexplained_dependencies(root: Path) -> Iterator[str]:
    """Dependencies without a filled-in row in the document, and rows without a dependency."""
    rows = {
        _normal(match["name"]): [cell.strip() for cell in match["cells"].split("|")]
        for match in ROW.finditer((root / DOCUMENT).read_text(encoding="utf-8"))
    }
    asked_for = declared(root)
    for name in sorted(asked_for.keys() - rows.keys()):
        yield f"pyproject.toml asks for {name}, expected its reason in {DOCUMENT}"
    for name in sorted(rows.keys() - asked_for.keys()):
        yield f"{DOCUMENT} explains {name}, expected it in pyproject.toml"
    for name in sorted(rows.keys() & asked_for.keys()):
        if not all(rows[name]):
            yield f"{DOCUMENT} leaves a cell of {name} empty, expected licence and reason"


def undeclared_imports(root: Path, distributions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Imports of packages that happen to be installed because something else needs them.

    `distributions` maps an import name to the packages that provide it (`importlib.metadata.packages_distributions`).
    What only developers have may be imported by `chaos` only: nobody who installs Tidegate has it.
    """
    asked_for = declared(root)
    shipped = {name for name, groups in asked_for.items() if groups - {"dev", "build"}}
    for module in modules(root):
        may = asked_for.keys() if module.top == "chaos" else shipped
        for imported in module.imports:
            if imported.top in sys.stdlib_module_names or imported.top in {*PACKAGES, *SUPPORT}:
                continue
            providers = {_normal(name) for name in distributions.get(imported.top, ())}
            if not providers & may:
                provided = ", ".join(sorted(providers)) or "nothing installed"
                yield f"{module.at(imported.line)} imports {imported.top} of {provided}, expected a declared dependency"


def idle_dependencies(
    root: Path, distributions: Mapping[str, Sequence[str]], awaited: Mapping[str, str]
) -> Iterator[str]:
    """What everybody has to install although no module imports it. Extras may wait for their feature, and say so."""
    imported = {
        _normal(name) for module in modules(root) for one in module.imports for name in distributions.get(one.top, ())
    }
    for name, groups in sorted(declared(root).items()):
        if name in awaited and name in imported:
            yield f"{name} is excused by AWAITED_DEPENDENCIES in tests/architecture/exemptions.py and needs no excuse"
        elif "run" in groups and name not in imported and name not in awaited:
            yield f"pyproject.toml asks for {name}, which no module imports, expected it gone"


def unlocked_dependencies(root: Path) -> Iterator[str]:
    """Declared dependencies that a lock file does not pin: it was not recompiled."""
    everything = {group for groups in declared(root).values() for group in groups}
    locks = {
        "requirements.lock": everything - {"dev", "build"},
        "requirements-build.lock": {"build"},
        "requirements-dev.lock": everything,
    }
    for lock, held in locks.items():
        text = (root / lock).read_text(encoding="utf-8")
        pinned = {_normal(match) for match in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
        for name, groups in sorted(declared(root).items()):
            if groups & held and name not in pinned:
                yield f"{lock} does not pin {name}, expected `make lock` after a change of pyproject.toml"


def _name(requirement: str) -> str:
    match = REQUIREMENT.match(requirement)
    return match.group(0) if match else requirement


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
