"""Every mistake in tenants and overload is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="tenants: {acme: {burst: 5}}"),
            [
                (
                    "t.yaml:10:17 tenants.acme.rate: found nothing, expected a value for rate, which is "
                    "required (requests over time)"
                ),
            ],
            id="a tenant without a rate",
        ),
        pytest.param(
            file(rest="tenants: {acme: {rate: 5/s, burst: 0}}"),
            [
                "t.yaml:10:36 tenants.acme.burst: found 0, expected at least 1",
            ],
            id="a tenant with a burst of nothing",
        ),
        pytest.param(
            file(rest='tenants: {"Acme Corp": {rate: 5/s}}'),
            [
                (
                    't.yaml:10:11 tenants["Acme Corp"]: found the key "Acme Corp", expected an id of at most '
                    "63 lower-case letters, digits, '-', '_' and '.', such as eu-west"
                ),
            ],
            id="a tenant whose name is none",
        ),
        pytest.param(
            file(rest="overload: {max_requests: 0}"),
            [
                "t.yaml:10:26 overload.max_requests: found 0, expected at least 1",
            ],
            id="shedding without a limit",
        ),
        pytest.param(
            file(rest="overload: {memory: 1GiB}"),
            [
                (
                    't.yaml:10:20 overload.memory: found "1GiB", whose unit is not %, expected a share in '
                    "per cent, such as 20%"
                ),
            ],
            id="memory in bytes",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_tenant_may_be_more_important_than_its_route() -> None:
    tenant = accepted(file(rest="tenants: {acme: {rate: 500/s, importance: critical}}")).tenants["acme"]
    assert (tenant.rate, tenant.burst, tenant.importance) == (500.0, None, "critical")


def test_nothing_is_shed_unless_the_file_says_so() -> None:
    assert accepted(file()).overload is None
    overload = accepted(file(rest="overload: {}")).overload
    assert overload is not None
    assert (overload.max_requests, overload.target_delay, overload.memory) == (4000, 0.02, 0.8)
