"""Can every route be reached, and can it reach anything?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from config.core.residency import compile_policy
from config.models import Config, Match, Route
from config.problems import Finding
from config.units import shown


def check(config: Config) -> Iterator[Finding]:
    yield from _hidden_routes(config.routes)
    yield from _nowhere_to_go(config)
    yield from _ways_around_residency(config.routes)


def covers(earlier: Match, later: Match) -> bool:
    """Whether every request that the later one matches is matched by the earlier one too."""
    return (
        _covers_all(earlier.listeners, later.listeners)
        and _covers_all(earlier.methods, later.methods)
        and _covers_hosts(earlier.hosts, later.hosts)
        and _covers_path(earlier.path, later.path)
        and _covers_values(_lower(earlier.headers), _lower(later.headers))
        and _covers_values(earlier.query, later.query)
    )


def hiding(matches: Sequence[Match]) -> Iterator[tuple[int, int]]:
    """Each match that no request reaches, with the first before it that takes all its requests.

    Whoever covers a match has its path or one around it, and its first host or a wildcard around that: earlier matches
    are looked up by the two, because comparing thousands of routes pair by pair takes many seconds.
    """
    earlier: dict[tuple[str, str], list[int]] = {}
    for index, match in enumerate(matches):
        around = (
            known
            for path in _paths_around(match.path)
            for host in _hosts_around(match.hosts)
            for known in earlier.get((path, host), ())
        )
        hidden_by = min((known for known in around if covers(matches[known], match)), default=None)
        if hidden_by is not None:
            yield index, hidden_by
        for host in match.hosts or (_ANY_HOST,):
            earlier.setdefault((match.path, host), []).append(index)


_ANY_HOST = ""


def _paths_around(path: str) -> Iterator[str]:
    yield path
    position = path.find("/")
    while position >= 0:
        if path[: position + 1] + "*" != path:
            yield path[: position + 1] + "*"
        position = path.find("/", position + 1)


def _hosts_around(hosts: Sequence[str]) -> Iterator[str]:
    yield _ANY_HOST
    if hosts:
        yield hosts[0]
        labels = hosts[0].removeprefix("*.").split(".")
        yield from (f"*.{'.'.join(labels[depth:])}" for depth in range(1, len(labels)))


def _hidden_routes(routes: Sequence[Route]) -> Iterator[Finding]:
    for hidden, by in hiding([route.match for route in routes]):
        name, hiding_name = shown(routes[hidden].id), shown(routes[by].id)
        found = f"the route {name}, which no request reaches: {hiding_name} before it hides it"
        expected = f"it before {hiding_name}, or a narrower match there"
        yield Finding(("routes", hidden), found, expected, "warning")


def _nowhere_to_go(config: Config) -> Iterator[Finding]:
    """A bound route whose service has endpoints only where its data may not be can only ever refuse."""
    policy = compile_policy(config)
    standing = {service.id: [endpoint.region for endpoint in service.endpoints] for service in config.services}
    declared = [region.id for region in config.regions]
    named = {rule.data_type for rule in config.residency.rules}
    for index, route in enumerate(config.routes):
        if not route.data_types or not named.issuperset(route.data_types):
            continue
        allowed = [
            region
            for region in declared
            if all(
                policy.may(one, source=region, destination=region, purpose="request", now=0.0).allowed
                for one in route.data_types
            )
        ]
        places = dict.fromkeys(route.services, "service" if route.split is None else "split")
        if route.mirror is not None:
            places.setdefault(route.mirror.service, "mirror")
        for service, key in places.items():
            if service in standing and not set(allowed).intersection(standing[service]):
                where = f"only {', '.join(allowed)} may hold" if allowed else "no region may hold"
                found = f"the service {shown(service)}, which has no endpoint where the route's data may be"
                expected = f"an endpoint in an allowed region: {where} {', '.join(route.data_types)}"
                yield Finding(("routes", index, key), found, expected)


def _ways_around_residency(routes: Sequence[Route]) -> Iterator[Finding]:
    bound = {service: route.id for route in reversed(routes) if route.data_types for service in route.services}
    for index, route in enumerate(routes):
        if route.data_types:
            continue
        for service in route.services:
            if service in bound:
                found = (
                    f"no data_types, although the route {shown(bound[service])} binds the same service {shown(service)}"
                )
                yield Finding(("routes", index), found, "data_types, or this traffic is bound to no region", "warning")


def _covers_all(earlier: Sequence[str], later: Sequence[str]) -> bool:
    return not earlier or (bool(later) and set(later) <= set(earlier))


def _covers_hosts(earlier: Sequence[str], later: Sequence[str]) -> bool:
    if not earlier:
        return True
    return bool(later) and all(any(_covers_host(wide, narrow) for wide in earlier) for narrow in later)


def _covers_host(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    return wide.startswith("*.") and narrow.removeprefix("*").endswith(wide[1:]) and len(narrow) >= len(wide)


def _covers_path(earlier: str, later: str) -> bool:
    """`/x/*` is everything that starts with `/x/`; `/x` alone is not below it."""
    return earlier == later or (earlier.endswith("/*") and later.removesuffix("*").startswith(earlier[:-1]))


def _covers_values(earlier: Mapping[str, str], later: Mapping[str, str]) -> bool:
    return all(name in later and value in {"*", later[name]} for name, value in earlier.items())


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}
