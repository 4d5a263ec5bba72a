"""The node's numbers for Prometheus: data planes' reports merged, and what control knows itself.

A custom collector over values that are there anyway: nothing is counted twice, a series ends with what it was about,
and no label comes from a client (route, region, endpoint and reason are ours; totals bound their number).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

from gateway.messages import DURATION_BUCKETS_S, ServiceCount
from tidegate.admin import readiness
from tidegate.admin.mesh_metrics import mesh_metrics
from tidegate.admin.operator_metrics import operator_metrics
from tidegate.admin.summary_metrics import summed
from tidegate.admin.sync_metrics import sync_metrics
from tidegate.node.control import Control

PREFIX = "tidegate_"
_HEALTH = {"up": 1.0, "degraded": 0.5, "down": 0.0}


class NodeCollector(Collector):
    """Collects when asked."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        metrics = self._control.configuration.loaded.config.observability.metrics
        return summed(self._detailed()) if metrics.granularity == "summary" else self._detailed()

    def _detailed(self) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._data_planes()
        yield from self._admission()
        yield from self._health()
        yield from self._configuration()
        yield from self._node()
        yield from mesh_metrics(self._control)
        yield from operator_metrics(self._control)
        yield from sync_metrics(self._control)

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
            failures.add_metric([endpoint, "status"], learnt.errors)
        yield attempts
        yield failures
        held = GaugeMetricFamily(
            PREFIX + "endpoint_held_back",
            "Data planes that hold an endpoint back now, by why.",
            labels=["endpoint", "reason"],
        )
        for endpoint, planes in self._control.held_back().items():
            for reason in sorted({count.held for count in planes}):
                held.add_metric([endpoint, reason], sum(count.held == reason for count in planes))
        yield held

    def _data_planes(self) -> Iterator[Metric]:
        reports = [session.report for session in self._control.publisher.sessions.values() if session.report]
        yield _gauge("connections", "Client connections open.", sum(report.connections for report in reports))
        yield _gauge("requests_in_flight", "Requests at an endpoint.", sum(report.in_flight for report in reports))
        yield _gauge("workers_serving", "Data planes that route by a snapshot.", len(self._control.serving()))
        built = [report.countries_built_at for report in reports if report.countries_built_at is not None]
        if built:
            about = "When the country database in use was built; the oldest of the data planes'."
            yield _gauge("geo_database_built_timestamp_seconds", about, min(built))
        dropped = self._control.totals.access_log_dropped
        yield CounterMetricFamily(
            PREFIX + "access_log_dropped", "Lines lost to a slow reader or a full disk.", value=dropped
        )
        untold = self._control.totals.spans_dropped
        yield CounterMetricFamily(PREFIX + "trace_spans_dropped", "Spans that no collector has taken.", value=untold)
        lost = self._control.audit_lost()
        yield CounterMetricFamily(PREFIX + "audit_records_lost", "Audit records that no disk took.", value=lost)
        refused = self._control.totals.debug_refused
        about = "Debug fields that were forged, malformed, too old or too many."
        yield CounterMetricFamily(PREFIX + "debug_fields_refused", about, value=refused)
        failed = CounterMetricFamily(
            PREFIX + "failed_conditions",
            "Conditions of region_routing.rules that had no answer, and so did not match.",
            labels=["route", "rule"],
        )
        for name, count in self._control.totals.failed_conditions.items():
            route, _, number = name.rpartition("/")
            failed.add_metric([route, number], count)
        yield failed
        restarts = CounterMetricFamily(
            PREFIX + "worker_restarts", "Processes started again after they died.", labels=["role", "slot"]
        )
        for child in self._control.processes.children if self._control.processes else ():
            restarts.add_metric([child.role, str(max(0, child.slot))], child.restarts)
        yield restarts
        version = self._control.snapshot.version if self._control.snapshot else 0
        yield _gauge("snapshot_version", "Version of the snapshot published last.", version)

    def _admission(self) -> Iterator[Metric]:
        tenants = CounterMetricFamily(
            PREFIX + "tenant_requests", "Requests of tenants: admitted, limited, shed.", labels=["tenant", "outcome"]
        )
        for (tenant, outcome), count in self._control.totals.tenants.items():
            tenants.add_metric([tenant, outcome], count)
        yield tenants
        mirrored = CounterMetricFamily(
            PREFIX + "mirrored_requests",
            "Copies of requests, by the class of their answer or why there was none.",
            labels=["route", "service", "outcome"],
        )
        for where, count in self._control.totals.mirrors.items():
            mirrored.add_metric(list(where), count)
        yield mirrored
        reports = [session.report for session in self._control.publisher.sessions.values() if session.report]
        gauges = [report.admission for report in reports]
        yield from self._sessions()
        yield from self._services([one for report in reports for one in report.services])
        level = max((each.shed_level for each in gauges), default=0)
        yield _gauge("shed_level", "Ranks turned away: 0 none, 1 batch, 2 interactive too, 3 all.", level)
        stores = GaugeMetricFamily(
            PREFIX + "limits_store_up",
            "1 when shared limits are shared, 0 when each node counts its share.",
            labels=["scope"],
        )
        for scope in sorted({scope for each in gauges for scope in each.stores}):
            is_up = not any(each.stores.get(scope) for each in gauges)
            stores.add_metric([scope], float(is_up))
        yield stores
        overflowed = sum(each.overflowed for each in gauges)
        yield _gauge("limits_overflowed", "Requests whose key found no place in the table of limits.", overflowed)

    def _services(self, counts: Sequence[ServiceCount]) -> Iterator[Metric]:
        active, pending, limit = (
            GaugeMetricFamily(PREFIX + name, text, labels=["service"])
            for name, text in (
                ("service_requests", "Requests under way at a service."),
                ("service_pending", "Requests that wait for a service."),
                ("service_limit", "Requests that may be under way, over the data planes that report: fixed or learnt."),
            )
        )
        for name in sorted({one.service for one in counts}):
            own = [one for one in counts if one.service == name]
            active.add_metric([name], sum(one.active for one in own))
            pending.add_metric([name], sum(one.pending for one in own))
            limit.add_metric([name], sum(one.limit for one in own))
        waited = CounterMetricFamily(
            PREFIX + "service_waited", "Requests that had to wait for a service.", labels=["service"]
        )
        overflowed = CounterMetricFamily(
            PREFIX + "service_overflowed", "Requests that a service had no room or no turn for.", labels=["service"]
        )
        for name, (waits, overflows) in self._control.totals.services.items():
            waited.add_metric([name], waits)
            overflowed.add_metric([name], overflows)
        yield from (active, pending, limit, waited, overflowed)

    def _sessions(self) -> Iterator[Metric]:
        control = self._control
        requests = CounterMetricFamily(
            PREFIX + "sticky_requests",
            "Requests by what became of their sessions, and why.",
            labels=["service", "outcome", "reason"],
        )
        for what, count in control.totals.sessions.items():
            requests.add_metric(list(what), count)
        yield requests
        sticking = GaugeMetricFamily(
            PREFIX + "sticky_sessions", "Sessions that stick to an endpoint, as seen by this node.", labels=["endpoint"]
        )
        for endpoint in sorted(control.operations.endpoints()):
            sessions = control.sessions.count((endpoint,), now=control.clock())
            if sessions is not None:
                sticking.add_metric([endpoint], sessions)
        yield sticking

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
                regions.add_metric([region.region], _HEALTH[region.health])
                healthy.add_metric([region.region], region.healthy / region.total)
        yield regions
        yield healthy
        services = GaugeMetricFamily(
            PREFIX + "service_up",
            "1 up, 0.5 degraded (not up in one of its regions), 0 down, as reached from here.",
            labels=["service"],
        )
        for service in prober.services().values():
            if service.health != "untested":
                services.add_metric([service.service], _HEALTH[service.health])
        yield services
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
