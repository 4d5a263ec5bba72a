"""What is a proxy asked to do in one measurement? The same for all of them; each writes it in its own language.

Always: reverse proxying to the same backends with kept-alive connections on both sides, `X-Forwarded-For`, access
counters on, one worker or thread. The rest varies from section to section and stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_CLIENTS = 11_000
"""Connections that each proxy is told to bear: the section with 10,000 idle ones needs most."""
MAX_UPSTREAM = 4_096
IDLE_S = 300
"""No proxy may close an idle connection during a measurement."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A server certificate and its key, PEM files."""

    certificate: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class Setting:
    """Beyond what is always asked."""

    routes: int = 1
    """Above 1: `/r0/*` to `/r<routes - 1>/*`, all to the same service."""
    endpoints: int = 1
    access_log: bool = False
    tls: Identity | None = None
    policies: bool = False
    """A local rate limit that is never reached, a sticky cookie, outlier detection."""
    limit_per_s: int = 10_000_000
    """With `policies`."""
    tunnel: bool = False
    """WebSocket to the echo backend."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one instance of a proxy runs."""

    directory: Path
    port: int
    admin_port: int
    backends: Sequence[str]
    """host:port of each endpoint."""

    def path(self, name: str) -> str:
        return str(self.directory / name)


@dataclass(frozen=True, slots=True)
class Launch:
    """How it is started, after its files were written."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


def route_paths(setting: Setting) -> list[str]:
    """Prefixes of the setting's routes, without the star."""
    return ["/"] if setting.routes == 1 else [f"/r{number}/" for number in range(setting.routes)]
