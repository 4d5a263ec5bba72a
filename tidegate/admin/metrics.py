"""The node's numbers for Prometheus: data planes' reports merged, and what control knows itself.

A custom collector over values that are there anyway: nothing is counted twice, a series ends with what it was about,
and no label comes from a client (route, region, endpoint and reason are ours; totals bound their number).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import metadata

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.messages import DURATION_BUCKETS_S
from tidegate.admin import readiness
from tidegate.node.control import Control

PREFIX = "tidegate_"
_HEALTH = {"up": 1.0, "down": 0.0}


class NodeCollector(Collector):
    """Collects when asked."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._data_planes()
        yield from self._health()
        yield from self._configuration()
        yield from self._node()

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking for it must not need a running node."""
        return ()

    def _requests(self) -> Iterator[Metric]:
        totals = self._control.totals
        requests = CounterMetricFamily(
            PREFIX + "requests", "Requests that ended.", labels=["route", "region", "status", "reason"]
        )
        for answered, count in totals.requests.items():
            labels = [answered.route, answered.region, str(answered.status), answered.reason]
            requests.add_metric(labels, count)
        yield requests
        durations = HistogramMetricFamily(
            PREFIX + "request_duration_seconds",
            "From the head's arrival to the answer's last byte.",
            labels=["route", "region"],
        )
        for (route, region), histogram in totals.durations.items():
            buckets, below = [], 0
            for bound, count in zip((*DURATION_BUCKETS_S, "+Inf"), histogram.buckets, strict=True):
                below += count
                buckets.append((str(bound), float(below)))
            durations.add_metric([route, region], buckets, histogram.total_s)
        yield durations
        attempts = CounterMetricFamily(PREFIX + "upstream_attempts", "Attempts at an endpoint.", labels=["endpoint"])
        failures = CounterMetricFamily(
            PREFIX + "upstream_failures", "Attempts that failed.", labels=["endpoint", "stage"]
        )
        for endpoint, learnt in totals.endpoints.items():
            attempts.add_metric([endpoint], learnt.attempts)
            failures.add_metric([endpoint, "connect"], learnt.connect_failures)
            failures.add_metric([endpoint, "answer"], learnt.failures)
        yield attempts
        yield failures

    def _data_planes(self) -> Iterator[Metric]:
        reports = [session.report for session in self._control.publisher.sessions.values() if session.report]
        yield _gauge("connections", "Client connections open.", sum(report.connections for report in reports))
        yield _gauge("requests_in_flight", "Requests at an endpoint.", sum(report.in_flight for report in reports))
        yield _gauge("workers_serving", "Data planes that route by a snapshot.", len(self._control.serving()))
        dropped = self._control.totals.access_log_dropped
        yield CounterMetricFamily(
            PREFIX + "access_log_dropped", "Lines lost to a slow reader or a full disk.", value=dropped
        )
        restarts = CounterMetricFamily(
            PREFIX + "worker_restarts", "Processes started again after they died.", labels=["role", "slot"]
        )
        for child in self._control.processes.children if self._control.processes else ():
            restarts.add_metric([child.role, str(max(0, child.slot))], child.restarts)
        yield restarts
        version = self._control.snapshot.version if self._control.snapshot else 0
        yield _gauge("snapshot_version", "Version of the snapshot published last.", version)

    def _health(self) -> Iterator[Metric]:
        prober = self._control.prober
        endpoints = GaugeMetricFamily(
            PREFIX + "endpoint_up", "1 up, 0 down, by this node's probes.", labels=["service", "region", "endpoint"]
        )
        for verdict in prober.endpoints().values():
            if verdict.health in _HEALTH:
                endpoints.add_metric([verdict.service, verdict.region, verdict.endpoint], _HEALTH[verdict.health])
        yield endpoints
        regions = GaugeMetricFamily(
            PREFIX + "region_up", "1 up, 0.5 degraded, 0 down, as reached from here.", labels=["region"]
        )
        healthy = GaugeMetricFamily(
            PREFIX + "region_healthy_ratio", "Share of a region's endpoints that are up.", labels=["region"]
        )
        for region in prober.regions().values():
            if region.health != "untested":
                regions.add_metric([region.region], {"up": 1.0, "degraded": 0.5}.get(region.health, 0.0))
                healthy.add_metric([region.region], region.healthy / region.total)
        yield regions
        yield healthy
        rtts = GaugeMetricFamily(PREFIX + "region_rtt_seconds", "Smoothed round trip.", labels=["region"])
        for name, rtt_s in prober.region_rtts().items():
            rtts.add_metric([name], rtt_s)
        yield rtts

    def _configuration(self) -> Iterator[Metric]:
        configuration = self._control.configuration
        info = InfoMetricFamily(PREFIX + "config", "The configuration in force.")
        source = "last_good" if configuration.degraded else "file"
        info.add_metric([], {"digest": configuration.loaded.digest[:16], "source": source})
        yield info
        last = configuration.last_reload
        is_good = last.ok if last is not None else configuration.degraded is None
        yield _gauge("config_last_reload_success", "1 when the last attempt to read the file was good.", int(is_good))
        at = last.at if last is not None else configuration.accepted_at
        yield _gauge("config_last_reload_timestamp_seconds", "When that was.", at)
        reloads = CounterMetricFamily(PREFIX + "config_reloads", "Reloads by their outcome.", labels=["outcome"])
        for outcome, count in configuration.reloads.items():
            reloads.add_metric([outcome], count)
        yield reloads

    def _node(self) -> Iterator[Metric]:
        control = self._control
        build = InfoMetricFamily(PREFIX + "build", "What runs here.")
        build.add_metric([], {"version": metadata.version("tidegate"), "node": control.plan.node_id})
        yield build
        yield _gauge("ready", "1 when traffic should come here.", int(readiness.is_ready(control)))
        yield _gauge("degraded", "1 when the node serves but is not as it should be.", int(bool(control.degraded())))
        yield _gauge("start_timestamp_seconds", "When the control process started.", control.started_at)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, help_text, value=value)


class Exposition:
    """Text for a scrape."""

    def __init__(self, control: Control) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(NodeCollector(control))

    def text(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type, as the scraper asked."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
