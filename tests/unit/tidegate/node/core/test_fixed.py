"""What of a configuration cannot change while the node runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.models import Config
from tests.harness.configuration import load
from tidegate.node.core.fixed import changed_but_fixed, sentence

ADDED = "listeners (one was added, removed or renamed)"


def edited(edit: Callable[[dict[str, Any]], Any]) -> tuple[str, ...]:
    return changed_but_fixed(load().config, load(edit=edit).config)


def test_the_same_configuration_needs_no_restart() -> None:
    assert edited(lambda document: None) == ()


def test_routes_and_services_may_change() -> None:
    assert edited(lambda document: document["routes"][0].update(id="other")) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"max_headers": 5, "max_connections": 5}},
        {"timeouts": {"idle": "1s"}},
        {"trusted_proxies": ["10.0.0.0/8"]},
        {"proxy_protocol": True},
    ],
)
def test_what_a_listener_does_with_its_connections_may_change(change: dict[str, Any]) -> None:
    assert edited(lambda document: document["listeners"][0].update(change)) == ()


def test_listeners_may_stand_in_another_order() -> None:
    one, two = ({"name": name, "bind": f"127.0.0.1:{port}"} for name, port in (("one", 8081), ("two", 8082)))

    def with_listeners(*listeners: dict[str, str]) -> Config:
        return load(edit=lambda document: document.update(listeners=list(listeners))).config

    assert changed_but_fixed(with_listeners(one, two), with_listeners(two, one)) == ()
    moved = {**one, "bind": "127.0.0.1:8083"}
    assert changed_but_fixed(with_listeners(one, two), with_listeners(two, moved)) == ("listeners[1].bind",)


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (lambda document: document["node"].update(workers=3), "node.workers"),
        (lambda document: document["node"].update(id="other"), "node.id"),
        (lambda document: document["node"].update(data_dir="/elsewhere"), "node.data_dir"),
        (lambda document: document["node"].update(shutdown_grace="1s"), "node.shutdown_grace"),
        (lambda document: document["listeners"][0].update(bind="127.0.0.1:8081"), "listeners[0].bind"),
        (lambda document: document["listeners"][0].update(name="other"), ADDED),
        (lambda document: document["listeners"].append({"name": "second", "bind": "127.0.0.1:8082"}), ADDED),
        (lambda document: document["admin"].update(bind="127.0.0.1:9901"), "admin.bind"),
        (
            lambda document: document.update(observability={"access_log": {"path": "/tmp/a.log"}}),  # noqa: S108
            "observability.access_log.path",
        ),
    ],
)
def test_what_processes_and_sockets_were_made_from_may_not(edit: Callable[[dict[str, Any]], Any], path: str) -> None:
    assert edited(edit) == (path,)


def test_the_sentence_names_every_option() -> None:
    assert sentence(("node.id", "listeners")).startswith("node.id, listeners cannot change while the node runs")
