"""The node as a whole: what `observability.metrics.granularity: summary` leaves of the detailed numbers.

Counters and histograms are summed over all that a configuration lists (routes, endpoints, regions ...), so that there
are as many series with ten services as with ten thousand. What else tells them apart, such as a status or a reason,
stays. Gauges of one listed thing have no sum that says anything, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric

LISTED = frozenset({"collection", "endpoint", "region", "route", "rule", "service", "target", "tenant"})
"""Labels whose values a configuration, or an operator's order, lists."""


def summed(metrics: Iterable[Metric]) -> Iterator[Metric]:
    for metric in metrics:
        if not any(LISTED & sample.labels.keys() for sample in metric.samples):
            yield metric
        elif metric.type in {"counter", "histogram"}:
            yield _sum(metric)


def _sum(metric: Metric) -> Metric:
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in metric.samples:
        kept = tuple((name, value) for name, value in sample.labels.items() if name not in LISTED)
        sums[sample.name, kept] = sums.get((sample.name, kept), 0.0) + sample.value
    whole = Metric(metric.name, metric.documentation, metric.type)
    for (name, labels), value in sums.items():
        whole.add_sample(name, dict(labels), value)
    return whole
