"""Do nodes count their wide limits together now? As the data planes report it, for status, degradation and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.node.control import Control


def alone(control: Control) -> dict[str, str]:
    """Scopes whose limits some data plane counts by this node's share alone, with the reason."""
    reports = [session.report for session in control.publisher.sessions.values() if session.report]
    return {scope: why for report in reports for scope, why in sorted(report.admission.stores.items()) if why}


def standing(control: Control) -> dict[str, Any]:
    """By scope: whether nodes count together, and why not."""
    reports = [session.report for session in control.publisher.sessions.values() if session.report]
    problems = alone(control)
    return {
        scope: {"shared": scope not in problems, "problem": problems.get(scope)}
        for scope in sorted({scope for report in reports for scope in report.admission.stores})
    }


def sentences(control: Control) -> list[str]:
    """What is not as it should be."""
    return [
        f"limits of scope {scope} are counted by this node's share alone: {why}"
        for scope, why in alone(control).items()
    ]
