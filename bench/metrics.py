"""Everything that is measured, with its unit, in the order in which it is shown. Less is better except for rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    """section.name"""
    label: str
    unit: str
    digits: int = 1
    is_rate: bool = False
    is_pictured: bool = False
    is_compared: bool = True
    """Whether a ratio of it says something."""

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]


ROUTES = (1, 1000)
ENDPOINTS = (1, 1000)
CONNECTIONS = (1, 32, 2000)

METRICS = (
    Metric("request.cpu_us", "CPU a request, 13 header fields", "µs", is_pictured=True),
    Metric("request.rate", "requests a second on one core", "1/s", 0, is_rate=True, is_pictured=True),
    Metric("request.beside_us", "CPU a request of processes beside it", "µs", is_compared=False),
    Metric("varied.cpu_us", "CPU a request, one field differs from the last request's", "µs"),
    Metric(
        "latency.rate",
        "fixed rate, a third of that, at most 12,000",
        "1/s",
        0,
        is_rate=True,
        is_compared=False,
    ),
    Metric("latency.p50_us", "median at that rate", "µs", 0),
    Metric("latency.p99_us", "p99 at that rate", "µs", 0, is_pictured=True),
    Metric("latency.p999_us", "p99.9 at that rate", "µs", 0),
    Metric("latency.client_late_us", "the client's own lateness, p99", "µs", 0, is_compared=False),
    Metric("stream.cpu_us", "CPU a MiB of a streamed 1 MiB answer", "µs", 0, is_pictured=True),
    Metric("idle.bytes", "memory an idle connection", "KiB", 2, is_pictured=True),
    Metric("idle.total", "memory with all of them open", "MiB"),
    Metric("logged.cpu_us", "CPU a request, access log on", "µs", is_pictured=True),
    Metric("policies.cpu_us", "CPU a request, rate limit, sticky cookie, outlier detection", "µs", is_pictured=True),
    Metric("tls.cpu_us", "CPU a request over kept TLS connections", "µs", is_pictured=True),
    Metric("handshake.cpu_us", "CPU a TLS connection with one request", "µs", 0, is_pictured=True),
    Metric("resumed.cpu_us", "CPU a resumed TLS connection with one request", "µs", 0),
    Metric("socket.cpu_us", "CPU a WebSocket message there and back", "µs", is_pictured=True),
    *(
        Metric(f"routes.{count}", f"CPU a request, {count} {'route' if count == 1 else 'routes'}", "µs")
        for count in ROUTES
    ),
    *(
        Metric(f"endpoints.{count}", f"CPU a request, {count} {'endpoint' if count == 1 else 'endpoints'}", "µs")
        for count in ENDPOINTS
    ),
    *(
        Metric(f"connections.{count}", f"CPU a request, {count} {'connection' if count == 1 else 'connections'}", "µs")
        for count in CONNECTIONS
    ),
    Metric(
        f"connections.{CONNECTIONS[-1]}_opened",
        f"connections opened to the backend for 1,000 requests of {CONNECTIONS[-1]} clients",
        "",
        0,
        is_compared=False,
    ),
)


def of(section: str) -> Iterator[Metric]:
    return (metric for metric in METRICS if metric.section == section)


SECTIONS = tuple(dict.fromkeys(metric.section for metric in METRICS))
