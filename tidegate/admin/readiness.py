"""Should traffic be sent to this node? `/readyz`, and `?verbose` with a line for each check.

Ready means: a configuration is in force, at least one data plane routes by it, the data is served where there is any,
and the node is not being stopped. Degraded is ready: a node on its last good configuration serves, and taking it out of
rotation would help nobody; neither would it while a sync process that died is started again.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate.node.control import Control


class Check(NamedTuple):
    """One condition."""

    name: str
    ok: bool
    detail: str


def checks(control: Control) -> list[Check]:
    serving, planned = control.serving(), max(1, control.plan.workers)
    version = control.snapshot.version if control.snapshot else None
    return [
        Check("snapshot", version is not None, f"version {version}" if version is not None else "none yet"),
        Check("data-planes", bool(serving), f"{len(serving)} of {planned} serve"),
        *_data(control),
        Check("not-draining", not control.is_draining, "being stopped" if control.is_draining else "ok"),
    ]


def _data(control: Control) -> list[Check]:
    if not control.plan.has_sync:
        return []
    return [Check("data", control.has_served_data, "served" if control.has_served_data else "not served yet")]


def is_ready(control: Control) -> bool:
    return all(check.ok for check in checks(control))


def state(control: Control) -> str:
    if control.is_draining:
        return "draining"
    return "ready" if is_ready(control) else "starting"


def report(control: Control) -> str:
    """The lines of `?verbose`, as Kubernetes writes them."""
    lines = [f"[{'+' if check.ok else '-'}]{check.name} {check.detail}" for check in checks(control)]
    lines += [f"[!]degraded {reason}" for reason in control.degraded()]
    lines.append("readyz check passed" if is_ready(control) else "readyz check failed")
    return "\n".join(lines) + "\n"
