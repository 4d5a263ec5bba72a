"""The table finds what asking every route in order would find."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.routes import Matcher, RouteTable, host_matches, matcher_of, path_matches


@dataclass(frozen=True)
class Request:
    host: str = "a.example"
    path: bytes = b"/"
    method: str = "GET"
    query: bytes = b""
    body_length: int = 0
    headers: dict[bytes, list[bytes]] = field(default_factory=dict)

    def values(self, name: bytes) -> list[bytes]:
        return self.headers.get(name, [])


@dataclass(frozen=True)
class PlainRoute:
    order: int
    matcher: Matcher


def matcher(
    path: str = "/*",
    *,
    hosts: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    listeners: tuple[str, ...] = (),
) -> Matcher:
    return matcher_of(
        listeners=listeners, hosts=hosts, path=path, methods=methods, headers=headers or {}, query=query or {}
    )


def table(*matchers: Matcher) -> RouteTable[PlainRoute]:
    return RouteTable([PlainRoute(order, entry) for order, entry in enumerate(matchers)])


def matched(found: PlainRoute | None) -> int | None:
    return None if found is None else found.order


hosts = st.sampled_from(["a.example", "b.example", "x.a.example", "y.x.a.example", "*.a.example", "*.example"])
plain_hosts = st.sampled_from(["a.example", "b.example", "x.a.example", "y.x.a.example", "other", "q.b.example"])
patterns = st.sampled_from(["/*", "/a", "/a/*", "/a/b/*", "/a/b", "/b/*", "/a/b/c/d/*", "/"])
paths = st.sampled_from(
    [b"/", b"/a", b"/a/", b"/a/b", b"/a/b/", b"/a/b/c", b"/b", b"/b/x", b"/a/b/c/d/e", b"/zzz", b"*"]
)
methods = st.sampled_from(["GET", "PUT", "DELETE"])
matchers = st.builds(
    matcher,
    path=patterns,
    hosts=st.lists(hosts, max_size=2).map(tuple),
    methods=st.lists(methods, max_size=2).map(tuple),
    listeners=st.lists(st.sampled_from(["public", "other"]), max_size=1).map(tuple),
    headers=st.sampled_from([None, {"X-A": "1"}, {"X-A": "*"}]),
    query=st.sampled_from([None, {"q": "1"}, {"q": "*"}]),
)
requests = st.builds(
    Request,
    host=plain_hosts,
    path=paths,
    method=methods,
    query=st.sampled_from([b"", b"?q=1", b"?q=2&q=1", b"?q"]),
    headers=st.sampled_from([{}, {b"x-a": [b"1"]}, {b"x-a": [b"2"]}]),
)


@given(st.lists(matchers, max_size=12), requests)
def test_the_table_agrees_with_asking_every_route_in_order(entries: list[Matcher], request: Request) -> None:
    naive = next((order for order, entry in enumerate(entries) if entry.refuses(request, "public") is None), None)
    assert matched(table(*entries).match(request, "public")) == naive


@given(st.lists(matchers, max_size=12), requests)
def test_methods_are_allowed_where_nothing_else_stands_in_the_way(entries: list[Matcher], request: Request) -> None:
    naive = {name for entry in entries if entry.refuses(request, "public") == "method" for name in entry.methods}
    assert set(table(*entries).methods_allowed(request, "public")) == naive


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("a.example", "a.example", True),
        ("*.example", "a.example", True),
        ("*.example", "b.a.example", True),
        ("*.example", "example", False),
        ("*.example", ".example", False),
        ("*.a.example", "xa.example", False),
    ],
)
def test_wildcards_stand_for_whole_labels(pattern: str, host: str, *, matches: bool) -> None:
    assert host_matches(pattern, host) is matches


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a/*", b"/a/b/c", True),
        ("/a/*", b"/a/", True),
        ("/a/*", b"/a", False),
        ("/a/*", b"/ab", False),
        ("/a", b"/a", True),
        ("/a", b"/a/", False),
        ("/*", b"/", True),
        ("/*", b"*", False),
    ],
)
def test_a_prefix_is_whole_segments(pattern: str, path: bytes, *, matches: bool) -> None:
    assert path_matches(pattern, path) is matches


def test_configured_hosts_match_whatever_their_case() -> None:
    assert table(matcher(hosts=("API.Example.",))).match(Request(host="api.example"), "public") is not None


def test_a_path_of_a_thousand_slashes_costs_no_more_look_ups_than_the_deepest_pattern() -> None:
    bucket = table(matcher("/a/b/*"))._any
    assert bucket.max_depth == 3
    assert list(bucket.candidates(b"/" * 1000)) == []


def test_a_refusal_names_what_did_not_match() -> None:
    entry = matcher("/a", hosts=("h",), methods=("PUT",), headers={"X-A": "1"}, query={"q": "1"}, listeners=("l",))
    request = Request(host="h", path=b"/a", method="PUT", query=b"?q=1", headers={b"x-a": [b"1"]})
    assert entry.refuses(request, "l") is None
    assert entry.refuses(Request(host="x"), "l") == "host"
    assert entry.refuses(Request(host="h"), "l") == "path"
    assert entry.refuses(request, "other") == "listener"
    assert entry.refuses(Request(host="h", path=b"/a", method="PUT"), "l") == "header x-a"
    assert entry.refuses(Request(host="h", path=b"/a", headers=request.headers), "l") == "query q"
    assert entry.refuses(Request(host="h", path=b"/a", query=b"?q=1", headers=request.headers), "l") == "method"
