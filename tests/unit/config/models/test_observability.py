"""Every mistake in logs, metrics and traces is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="observability: {access_log: {format: xml}}"),
            [
                't.yaml:10:38 observability.access_log.format: found "xml", expected json',
            ],
            id="an unknown format",
        ),
        pytest.param(
            file(rest='observability: {access_log: {path: ""}}'),
            [
                't.yaml:10:36 observability.access_log.path: found "", expected the path of a file',
            ],
            id="an empty path",
        ),
        pytest.param(
            file(rest="observability: {tracing: {exporter: localhost}}"),
            [
                (
                    't.yaml:10:37 observability.tracing.exporter: found "localhost", expected a URL that '
                    "starts with http:// or https://, such as https://gw1.example.com"
                ),
            ],
            id="an exporter that is no url",
        ),
        pytest.param(
            file(rest="observability: {tracing: {propagation: [b3]}}"),
            [
                't.yaml:10:41 observability.tracing.propagation[0]: found "b3", expected w3c',
            ],
            id="an unknown propagation",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_requests_are_logged_and_counted_but_not_traced() -> None:
    observability = accepted(file()).observability
    log, metrics = observability.access_log, observability.metrics
    assert (log.enabled, log.format, log.sample, log.path) == (True, "json", 1.0, "-")
    assert (metrics.enabled, metrics.path, metrics.granularity) == (True, "/metrics", "detailed")
    assert not observability.tracing.enabled


def test_a_log_file_lies_beside_the_configuration() -> None:
    path = accepted(file(rest="observability: {access_log: {path: log/access.json}}")).observability.access_log.path
    assert path.startswith("/")
    assert path.endswith("/log/access.json")
