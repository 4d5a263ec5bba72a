"""What is left of the detailed numbers where only sums are wanted."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from tidegate.admin.summary_metrics import summed


def samples(*metrics: Metric) -> dict[str, float]:
    """By name and labels, as they are written."""
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sample.labels.items()): sample.value
        for metric in summed(metrics)
        for sample in metric.samples
    }


def test_counters_are_summed_over_what_is_listed_and_keep_what_else_tells_them_apart() -> None:
    requests = CounterMetricFamily("requests", "", labels=["route", "region", "status"])
    requests.add_metric(["api", "eu", "200"], 3)
    requests.add_metric(["api", "us", "200"], 4)
    requests.add_metric(["pages", "eu", "503"], 1)
    assert samples(requests) == {"requests_total status=200": 7, "requests_total status=503": 1}


def test_histograms_are_summed_bucket_by_bucket() -> None:
    durations = HistogramMetricFamily("seconds", "", labels=["route"])
    durations.add_metric(["api"], [("0.1", 2.0), ("+Inf", 3.0)], 1.5)
    durations.add_metric(["pages"], [("0.1", 1.0), ("+Inf", 5.0)], 9.0)
    assert samples(durations) == {
        "seconds_bucket le=0.1": 3.0,
        "seconds_bucket le=+Inf": 8.0,
        "seconds_count": 8.0,
        "seconds_sum": 10.5,
    }


def test_a_gauge_of_one_listed_thing_is_left_out_and_one_of_the_node_stays() -> None:
    up = GaugeMetricFamily("endpoint_up", "", labels=["endpoint"])
    up.add_metric(["a"], 1.0)
    stores = GaugeMetricFamily("limits_store_up", "", labels=["scope"])
    stores.add_metric(["global"], 1.0)
    assert samples(up, stores, GaugeMetricFamily("ready", "", value=1.0)) == {
        "limits_store_up scope=global": 1.0,
        "ready": 1.0,
    }
