"""The node's numbers about the mesh: who leads, who is there, whether anything can be agreed on."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tidegate.node import nodes
from tidegate.node.control import Control

PREFIX = "tidegate_"


def mesh_metrics(control: Control) -> Iterator[Metric]:
    epoch = control.leadership.epoch
    yield _gauge("leader", "1 when this node leads at this moment.", int(epoch is not None))
    if epoch is not None:
        yield _gauge("leader_epoch", "The fencing epoch that this node acts in.", epoch)
    yield _gauge("state_frozen", "1 when nothing can be agreed on.", int(control.state.frozen() is not None))
    yield _gauge("state_rows_contained", "Rows that cannot be used.", len(control.state.troubles()))
    said = [one for _, one in nodes.heard(control)]
    differ = sum(one.config != control.configuration.loaded.shared_digest for one in said)
    yield _gauge("nodes", "Nodes that speak, this one too.", len(said))
    yield _gauge("nodes_other_config", "Nodes with another configuration than this one.", differ)
    if (gossip := control.agreement.gossip) is not None:
        yield _gauge("peers_reachable", "Peer addresses that answer.", len(gossip.reached))
        yield _gauge("peers_configured", "Peer addresses.", len(gossip.urls))
    if control.peers is not None:
        refused = CounterMetricFamily(PREFIX + "peer_refused", "Requests of peers turned away.", labels=["reason"])
        for reason, count in control.peers.server.refused.items():
            refused.add_metric([reason], count)
        yield refused


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, help_text, value=value)
