"""Which part of each region's capacity is this node's now? By what all nodes say they would send there.

workers ──Report.demands──> control ──soft row `node`──> all nodes ──> Parts ──> workers

The rule is gateway/core/region_shares.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.region_shares import equal_part, part_of
from gateway.messages import Parts
from tidegate.node import nodes

if TYPE_CHECKING:
    from tidegate.node.control import Control


def parts(control: Control) -> Parts:
    """To three digits, so that it changes only when it matters."""
    config, own = control.configuration.loaded.config, control.plan.node_id
    said = {row.key: announced.demands for row, announced in nodes.heard(control)}
    is_alone = not said.keys() - {own}
    found = {}
    for region in config.regions:
        if region.capacity is not None:
            wanted = {node: max(0.0, rates.get(region.id, 0.0)) for node, rates in {own: {}, **said}.items()}
            part = equal_part(config) if is_alone else part_of(own, wanted, region.capacity)
            found[region.id] = round(part, 3)
    return Parts(found)
