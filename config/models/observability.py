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
    enabled: bool = True
    format: Literal["json"] = "json"
    sample: Share = 1.0
    """Share of requests that are logged."""
    path: Annotated[str, AfterValidator(_log_path)] = "-"
    """A file, or - for standard output."""


class Metrics(Model):
    enabled: bool = True
    path: AbsolutePath = "/metrics"
    """On the admin address."""
    granularity: Literal["detailed", "summary"] = "detailed"


class Tracing(Model):
    enabled: bool = False
    sample: Share = 0.01
    exporter: Url = "http://localhost:4318"
    """Where traces are sent (OTLP over HTTP)."""
    propagation: tuple[Literal["w3c"], ...] = ("w3c",)


class Observability(Model):
    access_log: AccessLog = AccessLog()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
