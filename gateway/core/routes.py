"""Which route does this request take? The first, in the order written, that matches.

    host ──> its bucket ──> routes on this exact path, and on each of its prefixes ──> the earliest that also
             (exact name, longest wildcard, any)                                       accepts the rest

`Matcher.refuses` is the one place that knows what a match is; the table only narrows down whom to ask, so that the
cost does not grow with the number of routes. `explain` asks every route in order.

Path patterns: `/a/b` is that path alone; `/a/*` is everything below `/a/`, not `/a` itself; `/*` is everything.
Host patterns: a name, or `*.example.com` for names one or more labels below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import parse_qs

ANY_VALUE: Final = "*"
_NO_LABEL: Final = "\0"
"""Stands for any label in a wildcard bucket; no host and no pattern has it."""


class Facts(Protocol):
    """What a match looks at. `gateway.core.head.RequestHead` is one."""

    @property
    def host(self) -> str: ...
    @property
    def path(self) -> bytes: ...
    @property
    def method(self) -> str: ...
    @property
    def query(self) -> bytes: ...
    @property
    def body_length(self) -> int: ...
    def values(self, name: bytes) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Matcher:
    """A route's conditions; empty ones hold for every request."""

    listeners: frozenset[str]
    hosts: tuple[str, ...]
    """Lower case."""
    path: str
    methods: frozenset[str]
    headers: tuple[tuple[bytes, bytes], ...]
    """Lower-case name and value; `*` for any value."""
    query: tuple[tuple[str, str], ...]
    is_open: bool
    """Whether there is no condition but host and path."""

    def refuses(self, facts: Facts, listener: str) -> str | None:
        """Why this request does not match, or None when it does."""
        if self.hosts and not any(host_matches(pattern, facts.host) for pattern in self.hosts):
            return "host"
        if not path_matches(self.path, facts.path):
            return "path"
        return self.refuses_beyond_path(facts, listener)

    def refuses_beyond_path(self, facts: Facts, listener: str) -> str | None:
        """The same for a request whose host and path are known to match."""
        if self.is_open:
            return None
        if self.listeners and listener not in self.listeners:
            return "listener"
        if self.headers:
            for name, wanted in self.headers:
                values = facts.values(name)
                if not values or (wanted != b"*" and wanted not in values):
                    return f"header {name.decode()}"
        if self.query:
            given = parse_qs(facts.query[1:].decode("ascii", "replace"), keep_blank_values=True, max_num_fields=1000)
            for key, value in self.query:
                if key not in given or (value != ANY_VALUE and value not in given[key]):
                    return f"query {key}"
        # Last, so that "method" means that nothing else stands in the way: the answer is then 405, not 404.
        if self.methods and facts.method not in self.methods:
            return "method"
        return None


def host_matches(pattern: str, host: str) -> bool:
    """`*.example.com` matches `a.example.com` and `a.b.example.com`, never `example.com`."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return host == pattern


def path_matches(pattern: str, path: bytes) -> bool:
    """`/a/*` matches what lies below `/a/`; any other pattern only itself."""
    if pattern.endswith("/*"):
        return path.startswith(pattern[:-1].encode())
    return path == pattern.encode()


class Ordered(Protocol):
    """What a table holds: something with a place in the order and a matcher."""

    @property
    def order(self) -> int: ...
    @property
    def matcher(self) -> Matcher: ...


RouteT = TypeVar("RouteT", bound=Ordered)


class _Bucket(Generic[RouteT]):
    """The routes that a host may take, by path."""

    __slots__ = ("exact", "max_depth", "prefixes")

    def __init__(self, routes: Sequence[RouteT]) -> None:
        exact: dict[bytes, list[RouteT]] = {}
        prefixes: dict[bytes, list[RouteT]] = {}
        for route in routes:
            path = route.matcher.path.encode()
            if path.endswith(b"/*"):
                prefixes.setdefault(path[:-1], []).append(route)
            else:
                exact.setdefault(path, []).append(route)
        self.exact = {path: tuple(found) for path, found in exact.items()}
        self.prefixes = {path: tuple(found) for path, found in prefixes.items()}
        self.max_depth = max((path.count(b"/") for path in prefixes), default=0)
        """No deeper prefix is looked up: a path of a thousand slashes costs what the deepest pattern does."""

    def candidates(self, path: bytes) -> Iterator[tuple[RouteT, ...]]:
        found = self.exact.get(path)
        if found:
            yield found
        prefixes = self.prefixes
        end = path.find(b"/")
        for _ in range(self.max_depth):
            if end < 0:
                return
            found = prefixes.get(path[: end + 1])
            if found:
                yield found
            end = path.find(b"/", end + 1)


class RouteTable(Generic[RouteT]):
    """Routes compiled for look-up. Immutable."""

    def __init__(self, routes: Sequence[RouteT]) -> None:
        self.routes = tuple(routes)
        patterns = {host for route in routes for host in route.matcher.hosts}
        self._any = _Bucket([route for route in routes if not route.matcher.hosts])
        self._by_host = {host: self._bucket_for(host) for host in patterns if not host.startswith("*.")}
        self._by_suffix = {
            host[1:]: self._bucket_for(_NO_LABEL + host[1:]) for host in patterns if host.startswith("*.")
        }

    def _bucket_for(self, host: str) -> _Bucket[RouteT]:
        return _Bucket([route for route in self.routes if _may_serve_host(route.matcher, host)])

    def match(self, facts: Facts, listener: str) -> RouteT | None:
        """The first route in the order written that matches, or None."""
        bucket, path = self._bucket(facts.host), facts.path
        found = bucket.exact.get(path)
        best = _first(found, facts, listener, None) if found else None
        prefixes = bucket.prefixes
        end = path.find(b"/")
        for _ in range(bucket.max_depth):
            if end < 0:
                break
            found = prefixes.get(path[: end + 1])
            if found:
                best = _first(found, facts, listener, best)
            end = path.find(b"/", end + 1)
        return best

    def methods_allowed(self, facts: Facts, listener: str) -> tuple[str, ...]:
        """For a request that no route takes: the methods with which one would have; empty when none would."""
        methods: set[str] = set()
        for routes in self._bucket(facts.host).candidates(facts.path):
            for route in routes:
                if route.matcher.refuses_beyond_path(facts, listener) == "method":
                    methods |= route.matcher.methods
        return tuple(sorted(methods))

    def _bucket(self, host: str) -> _Bucket[RouteT]:
        bucket = self._by_host.get(host)
        if bucket is not None:
            return bucket
        if self._by_suffix:
            dot = host.find(".", 1)
            while dot >= 0:
                bucket = self._by_suffix.get(host[dot:])
                if bucket is not None:
                    return bucket
                dot = host.find(".", dot + 1)
        return self._any


def _first(routes: tuple[RouteT, ...], facts: Facts, listener: str, best: RouteT | None) -> RouteT | None:
    """The first of `routes` that accepts the request, unless `best` stands before it in the order."""
    for route in routes:
        if best is not None and route.order > best.order:
            return best
        if route.matcher.refuses_beyond_path(facts, listener) is None:
            return route
    return best


def _may_serve_host(matcher: Matcher, host: str) -> bool:
    return not matcher.hosts or any(host_matches(pattern, host) for pattern in matcher.hosts)


def matcher_of(
    *,
    listeners: Sequence[str],
    hosts: Sequence[str],
    path: str,
    methods: Sequence[str],
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> Matcher:
    """Conditions as configured, made ready for bytes."""
    return Matcher(
        listeners=frozenset(listeners),
        hosts=tuple(host.lower().rstrip(".") for host in hosts),
        path=path,
        methods=frozenset(methods),
        headers=tuple((name.lower().encode(), value.encode()) for name, value in headers.items()),
        query=tuple(query.items()),
        is_open=not (listeners or methods or headers or query),
    )
