"""Does every name lead somewhere, and to one thing only?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from config.faults import one_of
from config.models import Config, Route, Service
from config.problems import Finding, KeyPath
from config.units import shown


def check(config: Config) -> Iterator[Finding]:
    yield from _duplicates(config)
    yield from _duplicate_endpoints(config.services)
    yield from _regions(config)
    yield from _services(config)
    yield from _listeners(config)
    yield from _data_types(config)
    yield from _zones(config)
    yield from _collections(config)


def unknown(
    what: str, name: str, known: Sequence[str], path: KeyPath, *, severity: Literal["error", "warning"] = "error"
) -> Iterator[Finding]:
    """A finding if the name is none of the known ones."""
    if name not in known:
        expected = one_of(known, name) if known else f"a declared {what}, and there is none"
        yield Finding(path, f"the unknown {what} {shown(name)}", expected, severity)


def _duplicates(config: Config) -> Iterator[Finding]:
    yield from _twice("region", "id", ("regions",), [one.id for one in config.regions])
    yield from _twice("service", "id", ("services",), [one.id for one in config.services])
    yield from _twice("route", "id", ("routes",), [one.id for one in config.routes])
    yield from _twice("listener", "name", ("listeners",), [one.name for one in config.listeners])
    yield from _twice("token", "name", ("admin", "tokens"), [one.name for one in config.admin.tokens])
    rules = [one.data_type for one in config.residency.rules]
    yield from _twice("rule for", "data_type", ("residency", "rules"), rules)
    agreements = [one.id for one in config.residency.transfer_agreements]
    yield from _twice("agreement", "id", ("residency", "transfer_agreements"), agreements)
    if config.sync is not None:
        collections = [one.name for one in config.sync.collections]
        yield from _twice("collection", "name", ("sync", "collections"), collections)


def _twice(what: str, key: str, path: KeyPath, names: Iterable[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            found = f"a second {what} {shown(name)}, first in {path[-1]}[{first[name]}]"
            yield Finding((*path, index, key), found, "each only once")
        first.setdefault(name, index)


def _duplicate_endpoints(services: Sequence[Service]) -> Iterator[Finding]:
    for index, service in enumerate(services):
        first: dict[str, int] = {}
        for position, endpoint in enumerate(service.endpoints):
            place = endpoint.place
            if place in first:
                found = f"the endpoint {place} a second time, first in endpoints[{first[place]}]"
                yield Finding(("services", index, "endpoints", position), found, "each only once; use weight for more")
            first.setdefault(place, position)


def _regions(config: Config) -> Iterator[Finding]:
    known = [region.id for region in config.regions]
    for path, name in _region_names(config):
        yield from unknown("region", name, known, path)


def _region_names(config: Config) -> Iterator[tuple[KeyPath, str]]:
    yield ("node", "region"), config.node.region
    for index, service in enumerate(config.services):
        for position, endpoint in enumerate(service.endpoints):
            yield ("services", index, "endpoints", position, "region"), endpoint.region
    for index, route in enumerate(config.routes):
        routing: KeyPath = ("routes", index, "region_routing")
        for name in route.region_routing.region_weights:
            yield (*routing, "region_weights", name), name
        for position, rule in enumerate(route.region_routing.rules):
            yield from _each((*routing, "rules", position, "regions"), rule.regions)
    for index, residency_rule in enumerate(config.residency.rules):
        allowed = residency_rule.allowed_regions
        if allowed is not None and not isinstance(allowed, str):
            yield from _each(("residency", "rules", index, "allowed_regions"), allowed)
    for index, agreement in enumerate(config.residency.transfer_agreements):
        yield ("residency", "transfer_agreements", index, "source"), agreement.source
        yield ("residency", "transfer_agreements", index, "destination"), agreement.destination
    yield from _region_names_of_features(config)


def _region_names_of_features(config: Config) -> Iterator[tuple[KeyPath, str]]:
    if config.disaster_recovery is not None and config.disaster_recovery.drill is not None:
        yield ("disaster_recovery", "drill", "region"), config.disaster_recovery.drill.region
    for index, collection in enumerate(config.sync.collections if config.sync is not None else ()):
        yield from _each(("sync", "collections", index, "regions"), collection.regions or ())
        if collection.primary is not None:
            yield ("sync", "collections", index, "primary"), collection.primary
    if config.clients is not None:
        if config.clients.default_region != "auto":
            yield ("clients", "default_region"), config.clients.default_region
        if config.clients.offline_fallback_region is not None:
            yield ("clients", "offline_fallback_region"), config.clients.offline_fallback_region
        for name in config.clients.regions:
            yield ("clients", "regions", name), name


def _each(path: KeyPath, names: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    for index, name in enumerate(names):
        yield (*path, index), name


def _services(config: Config) -> Iterator[Finding]:
    known = [service.id for service in config.services]
    for index, route in enumerate(config.routes):
        for path, name in _service_names(route):
            if name == "builtin:data":
                if config.sync is None:
                    yield Finding(("routes", index, *path), "builtin:data without sync", "a `sync` block")
            else:
                yield from unknown("service", name, known, ("routes", index, *path))


def _service_names(route: Route) -> Iterator[tuple[KeyPath, str]]:
    if route.service is not None:
        yield ("service",), route.service
    for position, part in enumerate(route.split or ()):
        yield ("split", position, "service"), part.service
    if route.mirror is not None:
        yield ("mirror", "service"), route.mirror.service


def _listeners(config: Config) -> Iterator[Finding]:
    known = [listener.name for listener in config.listeners]
    for index, route in enumerate(config.routes):
        for path, name in _each(("routes", index, "match", "listeners"), route.match.listeners):
            yield from unknown("listener", name, known, path)


def _data_types(config: Config) -> Iterator[Finding]:
    """A type that no rule names is a mistake where that means deny, and worth a word where it means allow."""
    known = [rule.data_type for rule in config.residency.rules]
    severity: Literal["error", "warning"] = "error" if config.residency.default == "deny" else "warning"
    for path, name in _data_type_names(config):
        yield from unknown("data type", name, known, path, severity=severity)


def _data_type_names(config: Config) -> Iterator[tuple[KeyPath, str]]:
    for index, route in enumerate(config.routes):
        yield from _each(("routes", index, "data_types"), route.data_types)
    for index, agreement in enumerate(config.residency.transfer_agreements):
        yield from _each(("residency", "transfer_agreements", index, "data_types"), agreement.data_types)
    if config.sync is not None:
        for index, collection in enumerate(config.sync.collections):
            yield ("sync", "collections", index, "data_type"), collection.data_type
        for name in config.sync.importance:
            yield ("sync", "importance", name), name


def _zones(config: Config) -> Iterator[Finding]:
    """A zone without a region would forbid a data type everywhere."""
    known = list(dict.fromkeys(zone for region in config.regions for zone in region.compliance_zones))
    for index, rule in enumerate(config.residency.rules):
        for path, name in _each(("residency", "rules", index, "zones"), rule.zones):
            if name not in known:
                expected = one_of(known, name) if known else "a zone that some region lists in compliance_zones"
                yield Finding(path, f"the zone {shown(name)}, which no region lists in compliance_zones", expected)


def _collections(config: Config) -> Iterator[Finding]:
    known = [one.name for one in config.sync.collections] if config.sync is not None else []
    for index, route in enumerate(config.routes):
        for name in route.access.permissions or ():
            yield from unknown("collection", name, known, ("routes", index, "access", "permissions", name))
    for index, collection in enumerate(config.sync.collections if config.sync is not None else ()):
        regions = collection.regions
        if collection.primary is not None and regions is not None and collection.primary not in regions:
            found = f"the primary {shown(collection.primary)} outside the collection's regions"
            yield Finding(("sync", "collections", index, "primary"), found, f"one of {', '.join(regions)}")
