"""The node's numbers about orders and roles: what is drained and how far, what is overridden, which region leads."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tidegate.admin import operating
from tidegate.node.control import Control

PREFIX = "tidegate_"


def operator_metrics(control: Control) -> Iterator[Metric]:
    share = GaugeMetricFamily(
        PREFIX + "drain_share", "Share of its traffic that what is drained still gets.", labels=["target", "state"]
    )
    flying = GaugeMetricFamily(PREFIX + "drain_in_flight", "Requests that still fly there.", labels=["target"])
    for drain in operating.drained(control):
        share.add_metric([drain["target"], drain["state"]], drain["share"])
        flying.add_metric([drain["target"]], drain["in_flight"])
    yield share
    yield flying
    overridden = GaugeMetricFamily(
        PREFIX + "endpoint_overridden", "1 where a person has said up or down.", labels=["endpoint", "state"]
    )
    for endpoint, override in control.operations.overrides():
        overridden.add_metric([endpoint, override.state], 1)
    yield overridden
    leads = GaugeMetricFamily(PREFIX + "region_leads", "1 for the region with the leading role.", labels=["region"])
    voted = GaugeMetricFamily(
        PREFIX + "region_voted_down", "1 where the votes of the regions say that it is down.", labels=["region"]
    )
    primary = control.failing_over.primary()
    for region, ballot in control.failing_over.ballots().items():
        leads.add_metric([region], int(region == primary))
        voted.add_metric([region], int(ballot.is_down))
    yield leads
    yield voted
    points = GaugeMetricFamily(
        PREFIX + "dns_points_to", "1 for the region that the name in the DNS points to.", labels=["region"]
    )
    if (standing := control.pointing.standing()) is not None:
        points.add_metric([standing.region], 1)
    yield points
    yield GaugeMetricFamily(
        PREFIX + "dns_problem",
        "1 while the name in the DNS could not be moved.",
        value=int(control.pointing.problem is not None),
    )
    asks = GaugeMetricFamily(
        PREFIX + "failover_asks",
        "1 while a failover waits for a person.",
        value=int(control.failing_over.asked is not None),
    )
    yield asks
    decisions = CounterMetricFamily(
        PREFIX + "decisions", "Decisions of this node since its control process started.", labels=["what", "outcome"]
    )
    for (what, outcome), count in sorted(control.journal.counts.items()):
        decisions.add_metric([what, outcome], count)
    yield decisions
