"""All TLS of one configuration: each listener's server side, each service's upstream side.

    configuration, file contents ──> Material ──> a file changes ──> another Material
                                        └─ what has not changed is the very same object, so that sessions and pooled
                                           connections that depend on it stay good

What cannot be loaded keeps what it was, as long as its settings are the same ones: a renewal that went wrong must not
take a listener down. Settings that never loaded are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from config.models import Config, UpstreamTls
from gateway.core.endpoints import gateway_side
from gateway.errors import TlsMaterialRefused
from gateway.tls import server, upstream
from gateway.tls.server import ServerSide
from gateway.tls.upstream import UpstreamSide

Settings = TypeVar("Settings")
Side = TypeVar("Side", bound=ServerSide | UpstreamSide)


@dataclass(frozen=True, slots=True)
class Material:
    """Made by `load`, never changed."""

    listeners: Mapping[str, ServerSide] = field(default_factory=dict)
    """By name; a plain listener is not named."""
    services: Mapping[str, UpstreamSide] = field(default_factory=dict)
    """By id; a plain service is not named."""
    files: tuple[str, ...] = ()
    """All that it was made from, each once."""
    problems: tuple[str, ...] = ()
    """What could not be loaded, and is as it was before: one sentence each."""


NOTHING = Material()


def load(config: Config, *, previous: Material = NOTHING, was: Config | None = None) -> Material:
    """Load what `previous`, made of the configuration `was`, does not have as it is now.

    Raises `TlsMaterialRefused` where something new cannot be loaded.
    """
    listeners = _Loading(
        "listener",
        previous.listeners,
        {entry.name: entry.tls for entry in (was.listeners if was else ()) if entry.tls is not None},
        files_of=server.files_of,
        make=server.load_server_side,
    )
    services = _Loading(
        "service",
        previous.services,
        _of_services(was) | _of_gateways(was) if was else {},
        files_of=upstream.files_of,
        make=upstream.load_upstream_side,
    )
    of_listeners = {entry.name: listeners.side(entry.name, entry.tls) for entry in config.listeners if entry.tls}
    settings = _of_services(config) | _of_gateways(config)
    of_services = {name: services.side(name, tls) for name, tls in settings.items()}
    files = tuple(dict.fromkeys((*listeners.files, *services.files)))
    return Material(of_listeners, of_services, files, (*listeners.problems, *services.problems))


def _of_services(config: Config) -> dict[str, UpstreamTls]:
    return {service.id: service.upstream_tls for service in config.services if service.upstream_tls is not None}


def _of_gateways(config: Config) -> dict[str, UpstreamTls]:
    """Of other regions, where this node goes through them."""
    return {
        gateway_side(region.id): region.gateway_tls or UpstreamTls()
        for region in config.regions
        if region.is_behind_gateway(config.node.region) and (region.gateway or "").startswith("https:")
    }


class _Loading(Generic[Settings, Side]):
    """Sides of one kind. Those that say the same share one: the system's authorities take a megabyte each time."""

    def __init__(
        self,
        kind: str,
        previous: Mapping[str, Side],
        previous_settings: Mapping[str, Settings],
        *,
        files_of: Callable[[Settings], Sequence[str]],
        make: Callable[[Settings], Side],
    ) -> None:
        self._kind = kind
        self._previous = previous
        self._previous_settings = previous_settings
        self._files_of = files_of
        self._make = make
        self._known = {side.digest: side for side in previous.values()}
        self.files: list[str] = []
        self.problems: list[str] = []

    def side(self, name: str, settings: Settings) -> Side:
        files = self._files_of(settings)
        self.files.extend(files)
        try:
            side = self._known.get(server.digest_of(repr(settings), files))
            if side is None:
                side = self._make(settings)
                self._known[side.digest] = side
        except TlsMaterialRefused as error:
            before = self._previous.get(name)
            if before is None or self._previous_settings.get(name) != settings:
                raise TlsMaterialRefused(f"{self._kind} {name}: {error}") from error
            self.problems.append(f"{self._kind} {name} keeps the certificates that it had: {error}")
            return before
        return side
