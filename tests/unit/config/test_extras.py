"""An option whose package is missing is a mistake at its place, with the command that installs it."""

from __future__ import annotations

from typing import Any

from config.extras import check, is_there
from tests.harness.configuration import load


def test_a_name_needs_its_package_and_an_address_none() -> None:
    plain = load().config
    named = load(edit=lambda it: it["services"][0]["endpoints"].append({"region": "eu", "dns": "a.test", "port": 1}))
    assert list(check(plain, is_installed=lambda _: False)) == []
    assert list(check(named.config, is_installed=lambda _: True)) == []
    (finding,) = check(named.config, is_installed=lambda _: False)
    assert finding.path == ("services", 0, "endpoints", 2, "dns")
    assert "dnspython is not installed" in finding.found
    assert "tidegate[dns]" in finding.expected


def test_a_name_server_that_takes_updates_needs_the_same_package() -> None:
    def edit(made: dict[str, Any]) -> None:
        made["regions"][0]["gateway"] = "https://eu.gw.example.com"
        made["failover"] = {"dns": {"server": "10.0.0.53", "zone": "example.com", "name": "api"}}

    (finding,) = check(load(edit=edit).config, is_installed=lambda _: False)
    assert finding.path == ("failover", "dns")


def test_a_grpc_probe_needs_its_package() -> None:
    loaded = load(edit=lambda it: it["services"][0].update(health_check={"protocol": "grpc"}))
    (finding,) = check(loaded.config, is_installed=lambda _: False)
    assert finding.path == ("services", 0, "health_check", "protocol")
    assert "tidegate[grpc]" in finding.expected


def test_a_database_needs_its_package() -> None:
    def edit(made: dict[str, Any]) -> None:
        made["stores"] = {"data": {"kind": "postgres", "dsn": "env:DATABASE"}}

    loaded = load(edit=edit, environ={"DATABASE": "postgresql://db.test/data"})
    (finding,) = check(loaded.config, is_installed=lambda _: False)
    assert finding.path == ("stores", "data", "kind")
    assert "tidegate[postgres]" in finding.expected


def test_limits_of_several_nodes_need_their_package() -> None:
    limits = {"kind": "redis", "region": "redis://127.0.0.1:6379/0"}
    loaded = load(edit=lambda it: it.update(stores={"limits": limits}))
    (finding,) = check(loaded.config, is_installed=lambda _: False)
    assert finding.path == ("stores", "limits")
    assert "tidegate[redis]" in finding.expected


def test_traces_need_their_package_and_traces_that_are_off_do_not() -> None:
    on = load(edit=lambda it: it.update(observability={"tracing": {"enabled": True}}))
    off = load(edit=lambda it: it.update(observability={"tracing": {"enabled": False}}))
    (finding,) = check(on.config, is_installed=lambda _: False)
    assert finding.path == ("observability", "tracing")
    assert "opentelemetry-sdk is not installed" in finding.found
    assert "tidegate[tracing]" in finding.expected
    assert list(check(off.config, is_installed=lambda _: False)) == []
    assert list(check(on.config)) == []


def test_a_module_of_a_package_that_is_not_there_is_not_there() -> None:
    assert is_there("opentelemetry.sdk")
    assert not is_there("opentelemetry.nothing")
    assert not is_there("nothing_of_that_name.at_all")
