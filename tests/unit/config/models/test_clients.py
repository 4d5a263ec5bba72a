"""Every mistake in what clients are told is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="clients: {regions: {eu-west: {backup_url: https://a.example}}}"),
            [
                (
                    "t.yaml:10:30 clients.regions.eu-west.url: found nothing, expected a value for url, "
                    "which is required (first choice)"
                ),
            ],
            id="a region without a url",
        ),
        pytest.param(
            file(rest="clients: {regions: {eu-west: {url: https://a.example/app}}}"),
            [
                (
                    't.yaml:10:36 clients.regions.eu-west.url: found "https://a.example/app", expected a URL '
                    "that starts with http:// or https://, such as https://gw1.example.com, without a path"
                ),
            ],
            id="a url with a path",
        ),
        pytest.param(
            file(rest="clients: {health: {path: health}}"),
            [
                (
                    "t.yaml:10:26 clients.health.path: found \"health\", expected a path that starts with '/', "
                    "such as /healthz"
                ),
            ],
            id="a health path without a slash",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_clients_are_sent_to_the_nearest_region() -> None:
    clients = accepted(file(rest="clients: {}")).clients
    assert clients is not None
    assert (clients.default_region, clients.user_selectable, clients.remember_last_region) == ("auto", True, True)
    assert (clients.health.path, clients.health.interval) == ("/.well-known/tidegate/health", 30.0)
