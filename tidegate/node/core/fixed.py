"""What of a configuration cannot change while the node runs?

Listeners, the admin address and everything about the node itself were settled when its processes started: sockets are
bound, workers counted, the data directory locked. A reload that would change them is refused as a whole, since half a
configuration in force is one that nobody has written.
"""

from __future__ import annotations

from config.models import Config


def changed_but_fixed(running: Config, wanted: Config) -> tuple[str, ...]:
    """Paths of the options that differ and need a restart, in the order of the file."""
    changed = [
        f"node.{name}"
        for name in type(running.node).model_fields
        if getattr(running.node, name) != getattr(wanted.node, name)
    ]
    if running.listeners != wanted.listeners:
        changed.append("listeners")
    if running.admin.bind != wanted.admin.bind:
        changed.append("admin.bind")
    if running.observability.access_log.path != wanted.observability.access_log.path:
        changed.append("observability.access_log.path")
    return tuple(changed)


def sentence(paths: tuple[str, ...]) -> str:
    """What the operator is told."""
    return f"{', '.join(paths)} cannot change while the node runs: nothing of this file is in force until a restart"
