"""Paths on their way to an endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models.shaping import PathRewrite, Rewrite
from gateway.core.paths import normalise_path
from gateway.core.rewriting import PathRules, host_line, path_rules
from gateway.errors import RequestRefused


def rules(pattern: str, replacement: str) -> PathRules:
    found = path_rules(Rewrite(path=PathRewrite(pattern=pattern, replacement=replacement)))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("pattern", "replacement", "path", "query", "wanted"),
    [
        ("^/v1/(.*)$", r"/\1", b"/v1/a/b", b"?x=1", (b"/a/b", b"?x=1")),
        ("^/v1/(.*)$", r"/\1", b"/other", b"", (b"/other", b"")),
        ("^/v1", "", b"/v1", b"", (b"/", b"")),
        ("^/i/([^/]+)$", r"/i?id=\1", b"/i/7", b"?x=1", (b"/i", b"?id=7&x=1")),
        ("^/i/([^/]+)$", r"/i?id=\1", b"/i/7", b"?", (b"/i", b"?id=7")),
        ("-", "_", b"/a-b-c", b"", (b"/a_b_c", b"")),
        ("^/", "//evil.example/", b"/x", b"", (b"/evil.example/x", b"")),
        ("^/(.)/", r"/\g<1>%2e%2E/", b"/a/b", b"", (b"/a../b", b"")),
    ],
)
def test_a_path_is_rewritten(
    pattern: str, replacement: str, path: bytes, query: bytes, wanted: tuple[bytes, bytes]
) -> None:
    assert rules(pattern, replacement).apply(path, query) == wanted


def test_a_path_that_would_climb_above_its_root_is_refused() -> None:
    with pytest.raises(RequestRefused, match="climbs"):
        rules("^/(.)-(.)$", r"/\1\2").apply(b"/.-.", b"")


def test_a_path_that_is_too_long_for_its_pattern_is_refused() -> None:
    rule = rules("^/(.*)/x/(.*)$", r"/\2")
    assert rule.apply(b"/" + b"a" * (rule.longest - 1), b"")[0] == b"/" + b"a" * (rule.longest - 1)
    with pytest.raises(RequestRefused) as raised:
        rule.apply(b"/" + b"a" * rule.longest, b"")
    assert (raised.value.status, raised.value.reason) == (414, "path_not_rewritable")


@given(path=st.text(alphabet="ab/.-_~%2", max_size=30))
def test_whatever_comes_out_is_normal_and_one_line(path: str) -> None:
    try:
        normal = normalise_path(b"/" + path.encode())
        written, query = rules("^/([^/]*)/(.*)$", r"/\2/\1").apply(normal, b"")
    except RequestRefused:
        return
    assert normalise_path(written) == written
    assert query == b""
    assert b"\r" not in written
    assert b"\n" not in written


def test_a_host_that_is_an_address_is_bracketed() -> None:
    assert host_line(Rewrite()) is None
    assert host_line(Rewrite(host="a.example")) == b"Host: a.example\r\n"
    assert host_line(Rewrite(host="::1")) == b"Host: [::1]\r\n"
    assert path_rules(Rewrite(host="a.example")) is None
