"""Authenticators by route, and what a reload keeps."""

from __future__ import annotations

from gateway.admission.registry import Registry
from tests.harness.routing import config, routed


def with_leeway(leeway: str) -> dict[str, object]:
    kind = {"kind": "jwt", "jwks": "https://issuer/jwks", "issuer": "i", "audience": "a", "leeway": leeway}
    return routed(access={"authentication": kind})


def test_a_reload_keeps_what_it_does_not_change() -> None:
    registry = Registry(environ={}, now=lambda: 0.0, wall=lambda: 0.0, spawn=None)
    registry.adopt(config(with_leeway("30s")))
    before = registry.by_route["r"]
    registry.adopt(config(with_leeway("30s")))
    assert registry.by_route["r"] is before
    registry.adopt(config(with_leeway("31s")))
    assert registry.by_route["r"] is not before
    registry.adopt(config())
    assert registry.by_route == {}
