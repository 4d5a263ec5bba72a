"""What of a configuration cannot change while the node runs?

Addresses and everything about the node itself were settled when its processes started: sockets are bound, workers
counted, the data directory locked. What a listener does with its connections (limits, timeouts, TLS, trusted proxies)
may change. A reload that would change the rest is refused as a whole, since half a configuration in force is one that
nobody has written.
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
    changed += _changed_addresses(running, wanted)
    if (running.sync is None) != (wanted.sync is None):
        changed.append("sync (there is a process for it, or there is none)")
    if running.admin.bind != wanted.admin.bind:
        changed.append("admin.bind")
    changed += [name for name in ("peer", "election") if getattr(running, name) != getattr(wanted, name)]
    if running.stores.state != wanted.stores.state:
        changed.append("stores.state")
    if {one.id: one.peers for one in running.regions} != {one.id: one.peers for one in wanted.regions}:
        changed.append("regions[].peers")
    if running.observability.access_log.path != wanted.observability.access_log.path:
        changed.append("observability.access_log.path")
    return tuple(changed)


def _changed_addresses(running: Config, wanted: Config) -> list[str]:
    here = {listener.name: listener.bind for listener in running.listeners}
    if here.keys() != {listener.name for listener in wanted.listeners}:
        return ["listeners (one was added, removed or renamed)"]
    return [f"listeners[{index}].bind" for index, one in enumerate(wanted.listeners) if one.bind != here[one.name]]


def sentence(paths: tuple[str, ...]) -> str:
    """What the operator is told."""
    return f"{', '.join(paths)} cannot change while the node runs: nothing of this file is in force until a restart"
