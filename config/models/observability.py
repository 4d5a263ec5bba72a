"""What a node tells about itself: access log, metrics, traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo

from config.models.model import Model
from config.models.values import AbsolutePath, Url, resolved
from config.units import Share


def _log_path(value: str, info: ValidationInfo) -> str:
    return value if value == "-" else resolved(value, info)


class AccessLog(Model):
    """One line a request."""

    enabled: bool = True
    """Whether requests are logged."""
    format: Literal["json"] = "json"
    """How a line is written."""
    sample: Share = 1.0
    """Share of requests that are logged."""
    path: Annotated[str, AfterValidator(_log_path)] = "-"
    """A file, or - for standard output."""


class Metrics(Model):
    """Numbers for Prometheus."""

    enabled: bool = True
    """Whether they are served."""
    path: AbsolutePath = "/metrics"
    """On the admin address."""
    granularity: Literal["detailed", "summary"] = "detailed"
    """detailed: by route, region and endpoint; summary: sums only."""


class Tracing(Model):
    """Traces of requests through all that they meet."""

    enabled: bool = False
    """Whether traces are made."""
    sample: Share = 0.01
    """Share of requests that are traced."""
    exporter: Url = "http://localhost:4318"
    """Where traces are sent (OTLP over HTTP)."""
    propagation: tuple[Literal["w3c"], ...] = ("w3c",)
    """Headers that carry a trace on."""


class Observability(Model):
    """What a node tells about itself."""

    access_log: AccessLog = AccessLog()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
