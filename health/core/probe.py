"""What is probed, how often, and what came of one attempt: the values that the rest of this room hands around.

    ProbeTarget    one endpoint of one service in one region, and the settings that apply to it
    ProbeSettings  the question (protocol, path, what counts as well) and the pace (interval, timeout, thresholds)
    Outcome        what one attempt found, without the time it was made
    ProbeResult    an outcome with its time: what the history keeps

An outcome is one of three. *Passed* and *failed* speak of the endpoint. *Inconclusive* (`passed is None`) speaks of
ourselves, such as a node without a free descriptor: it is kept and shown, and moves no verdict, so that a node in
trouble does not declare the world dead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Protocol = Literal["http", "https", "tcp", "udp", "grpc"]

_UNSENDABLE = re.compile(r"[^\x21-\x7e]")
"""What must not stand in a request line or a Host field: anything but visible ASCII ends it early or splits it."""


@dataclass(frozen=True, slots=True)
class ProbeTls:
    """How an https probe speaks TLS. Files are named, not read."""

    ca: str | None = None
    """Authorities to trust; the system's when None."""
    server_name: str | None = None
    """To ask for and to verify; the host that is probed when None."""
    client_certificate: str | None = None
    client_key: str | None = None
    verify: bool = True


@dataclass(frozen=True)
class ProbeSettings:
    """The question and its pace. Refuses, by ValueError, what no probe can be made of.

    `attempt_timeout_s` is what one attempt gets: the timeout, cut to the longest gap between two probes, so that probes
    of one endpoint never overlap and a timeout longer than the interval cannot stretch the time to a verdict.
    """

    protocol: Protocol = "http"
    path: str = "/healthz"
    host: str | None = None
    """Name or IP address for the Host field of an http probe; None: the address that is probed."""
    interval_s: float = 5.0
    timeout_s: float = 1.0
    jitter: float = 0.2
    """Share of the interval by which a gap may be shorter or longer."""
    healthy_threshold: int = 2
    unhealthy_threshold: int = 3
    expected_status: tuple[tuple[int, int], ...] = ((200, 299),)
    """Ranges, both ends included."""
    expected_body: str | None = None
    """Must be found in the first 64 KiB of the body, or in one datagram."""
    grpc_service: str | None = None
    """What a grpc probe asks about; None: the server as a whole."""
    tls: ProbeTls | None = None
    """Of an https probe, None: as a client without settings of its own; of a grpc probe, None: plain."""

    def __post_init__(self) -> None:
        if self.interval_s <= 0 or self.timeout_s <= 0:
            raise ValueError(f"interval {self.interval_s} and timeout {self.timeout_s}, expected both above 0 s")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter {self.jitter}, expected a share from 0 to 1")
        if self.healthy_threshold < 1 or self.unhealthy_threshold < 1:
            raise ValueError(
                f"thresholds {self.healthy_threshold} and {self.unhealthy_threshold}, expected both at least 1"
            )
        for name, text in (("path", self.path), ("host", self.host or "")):
            if found := _UNSENDABLE.search(text):
                raise ValueError(f"{name} holds {found.group()!r}, expected visible ASCII characters")
        if not self.path.startswith("/"):
            raise ValueError(f"path {self.path!r}, expected one that starts with /")

    @cached_property
    def longest_gap_s(self) -> float:
        return self.interval_s * (1 + self.jitter)

    @cached_property
    def attempt_timeout_s(self) -> float:
        return min(self.timeout_s, self.longest_gap_s)


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One endpoint, where to knock, and how."""

    endpoint: str
    """Endpoint id, `<service>/<region>/<host:port>`."""
    service: str
    region: str
    host: str
    """An IP address, or a name that is looked up before each attempt, within its timeout."""
    port: int
    """The probe's, which may differ from the endpoint's."""
    settings: ProbeSettings = field(default_factory=ProbeSettings)
    minimum_capacity: float = 0.3
    """Of the region: the share of healthy endpoints below which it counts as degraded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt found. `passed` is None when it says nothing about the endpoint."""

    passed: bool | None
    reason: str
    """Short and lower case: `http 200`, `connection refused`, `no answer in 1s`."""
    rtt_s: float | None = None
    """Round trip, see `health/core/latency.py`; None when none was completed."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """An outcome with its time. `at` is wall time of its end, for people; `took_s` was measured on a steady clock."""

    passed: bool | None
    reason: str
    at: float
    took_s: float
    rtt_s: float | None = None


def spell_seconds(seconds: float) -> str:
    """`1s`, `250ms`: as one would write it in the configuration."""
    return f"{seconds:g}s" if seconds >= 1 else f"{round(seconds * 1000, 3):g}ms"
