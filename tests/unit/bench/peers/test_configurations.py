"""Every proxy is asked for the same: each configuration names every backend, route and certificate of a setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.peers import caddy, envoy, haproxy, nginx, tidegate, traefik
from bench.peers.floor import Floor
from bench.peers.tidegate import Tidegate
from bench.setting import Identity, Place, Setting
from config.loader import load_text

BACKENDS = ("127.0.1.1:9001", "127.0.1.2:9001")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, 8001, 8002, BACKENDS)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / name).write_text("-")
    return Identity(tmp_path / "certificate.pem", tmp_path / "key.pem")


def texts(setting: Setting, place: Place) -> dict[str, str]:
    return {
        "nginx": nginx.configuration(setting, place),
        "haproxy": haproxy.configuration(setting, place),
        "envoy": json.dumps(envoy.configuration(setting, place)),
        "caddy": json.dumps(caddy.configuration(setting, place)),
        "traefik": json.dumps([traefik.static(setting, place), traefik.dynamic(setting, place)]),
        "tidegate": json.dumps(tidegate.configuration(setting, place)),
    }


def test_all_know_their_addresses_and_every_backend(place: Place) -> None:
    for name, text in texts(Setting(endpoints=2), place).items():
        assert "8001" in text, name
        assert "8002" in text, name
        assert all(address.partition(":")[0] in text for address in BACKENDS), name


def test_all_know_every_route(place: Place) -> None:
    found = texts(Setting(routes=3), place)
    del found["haproxy"]  # has them in a file of its own
    assert all(text.count("/r2/") == 1 for text in found.values())
    haproxy.Haproxy().prepare(Setting(routes=3), place)
    assert (place.directory / "routes.map").read_text().splitlines() == ["/r0/ service", "/r1/ service", "/r2/ service"]


def test_all_get_the_certificate(place: Place, identity: Identity) -> None:
    found = texts(Setting(tls=identity), place)
    assert place.path("server.pem") in found.pop("haproxy")
    assert all(str(identity.certificate) in text for text in found.values())


def test_the_access_log_is_on_for_all_or_for_none(place: Place) -> None:
    off, on = texts(Setting(), place), texts(Setting(access_log=True), place)
    assert all(off[name] != on[name] for name in off)


def test_tidegate_accepts_what_it_is_asked_for_always(place: Place) -> None:
    loaded = load_text(json.dumps(tidegate.configuration(Setting(), place)), file=place.directory / "f", environ={})
    assert loaded.config.observability.access_log.enabled is False
    assert Tidegate().refuses(Setting(), place) is None


def test_the_floor_does_nothing_beyond_forwarding(place: Place) -> None:
    assert Floor().refuses(Setting(), place) is None
    assert Floor().refuses(Setting(access_log=True), place) is not None
