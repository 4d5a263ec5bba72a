"""Is what a configuration asks for installed? Some options need a package that not everybody installs: an extra.

The table below is the whole truth. A package is looked for, not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain

from config.models import Config
from config.problems import Finding, KeyPath


def is_there(name: str) -> bool:
    """Whether a module could be imported."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False  # not even the package around it


def check(config: Config, *, is_installed: Callable[[str], bool] = is_there) -> Iterator[Finding]:
    """A finding for the first option of each kind whose package is missing; `is_installed` takes a module's name."""
    kinds = (
        ("dns", "dnspython", "dns", chain(_names(config), _failover(config))),
        ("h2", "h2", "grpc", _grpc_probes(config)),
        ("asyncpg", "asyncpg", "postgres", _databases(config)),
        ("redis", "redis", "redis", _redis(config)),
        ("opentelemetry.sdk", "opentelemetry-sdk", "tracing", _tracing(config)),
    )
    for module, package, extra, wanted in kinds:
        path = next(wanted, None)
        if path is not None and not is_installed(module):
            found = f"{path[-1]}, for which the package {package} is not installed"
            yield Finding(path, found, f"pip install 'tidegate[{extra}]', or no {path[-1]}", is_key=True)


def _names(config: Config) -> Iterator[KeyPath]:
    for index, service in enumerate(config.services):
        for position, endpoint in enumerate(service.endpoints):
            for key in ("dns", "dns_srv"):
                if getattr(endpoint, key) is not None:
                    yield ("services", index, "endpoints", position, key)


def _failover(config: Config) -> Iterator[KeyPath]:
    if config.failover is not None and config.failover.dns is not None:
        yield ("failover", "dns")


def _databases(config: Config) -> Iterator[KeyPath]:
    for store in ("state", "data"):
        if getattr(config.stores, store).kind == "postgres":
            yield ("stores", store, "kind")


def _redis(config: Config) -> Iterator[KeyPath]:
    for key, store in (("state", config.stores.state), ("limits", config.stores.limits)):
        if store.kind == "redis":
            yield ("stores", key)


def _tracing(config: Config) -> Iterator[KeyPath]:
    if config.observability.tracing.enabled:
        yield ("observability", "tracing")


def _grpc_probes(config: Config) -> Iterator[KeyPath]:
    for index, service in enumerate(config.services):
        if service.health_check.protocol == "grpc":
            yield ("services", index, "health_check", "protocol")
        for position, endpoint in enumerate(service.endpoints):
            if endpoint.health_check is not None and endpoint.health_check.protocol == "grpc":
                yield ("services", index, "endpoints", position, "health_check", "protocol")
