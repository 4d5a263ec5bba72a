"""Who may import whom.

    config  <-  health  <-  gateway  <-  tidegate
                        <-  sync     <-  chaos
    gateway and sync never import each other; chaos drives the product and nothing of the product needs chaos

Imports inside functions and under TYPE_CHECKING count: a type that is needed is a dependency.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import PACKAGES, SUPPORT, modules

ROOMS = ("config", "health", "gateway", "sync")

MAY_IMPORT: dict[str, frozenset[str]] = {
    "config": frozenset(),
    "health": frozenset({"config"}),
    "gateway": frozenset({"config", "health"}),
    "sync": frozenset({"config", "health"}),
    "tidegate": frozenset(ROOMS),
    "chaos": frozenset({*ROOMS, "tidegate"}),
}


def wrong_directions(root: Path) -> Iterator[str]:
    """Imports that go against the picture above, or from the product into tests and benchmarks."""
    ours = {*PACKAGES, *SUPPORT}
    for module in modules(root):
        may = MAY_IMPORT[module.top] | {module.top}
        for imported in module.imports:
            if imported.top in ours and imported.top not in may:
                allowed = ", ".join(sorted(MAY_IMPORT[module.top])) or "nothing of ours"
                yield f"{module.at(imported.line)} {module.top} imports {imported.target}, expected only {allowed}"
