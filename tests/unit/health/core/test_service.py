"""One service's verdict, from how many of its endpoints are up, and where."""

from __future__ import annotations

import pytest

from health.core.service import ServiceHealth, ServiceInRegion, ServiceLedger, judge_service
from health.core.verdict import Health


def service_of(**by_region: tuple[Health, ...]) -> ServiceLedger:
    service = ServiceLedger("api", now=5.0)
    for region, healths in by_region.items():
        service.minimum_capacity[region] = 0.5
        for health in healths:
            service.move(region, None, "untested")
            service.move(region, "untested", health)
    return service


UP: Health = "up"
DOWN: Health = "down"
NEW: Health = "untested"


@pytest.mark.parametrize(
    ("eu", "us", "health", "reason"),
    [
        ((UP, UP), (UP,), "up", "3 of 3 endpoints up"),
        ((UP, DOWN), (UP,), "up", "2 of 3 endpoints up"),
        ((UP, DOWN, DOWN), (UP,), "degraded", "2 of 4 endpoints up, degraded in eu"),
        ((UP,), (DOWN, DOWN), "degraded", "1 of 3 endpoints up, down in us"),
        ((UP, DOWN, DOWN), (DOWN,), "degraded", "1 of 4 endpoints up, degraded in eu, down in us"),
        ((UP,), (NEW, DOWN), "up", "1 of 3 endpoints up"),
        ((DOWN,), (NEW,), "untested", "0 of 2 endpoints up"),
        ((DOWN,), (DOWN,), "down", "0 of 2 endpoints up"),
        ((DOWN,), (), "down", "0 of 1 endpoint up"),
    ],
)
def test_a_service_is_judged_by_its_endpoints_and_by_each_of_its_regions(
    eu: tuple[Health, ...], us: tuple[Health, ...], health: ServiceHealth, reason: str
) -> None:
    verdict = service_of(eu=eu, us=us).verdict()
    assert (verdict.health, verdict.reason) == (health, reason)
    assert (verdict.healthy, verdict.total) == ((eu + us).count("up"), len(eu + us))


def test_each_region_is_told_apart() -> None:
    assert service_of(us=(DOWN,), eu=(UP, DOWN)).verdict().regions == (
        ServiceInRegion("eu", "up", 1, 2, "1 of 2 endpoints up"),
        ServiceInRegion("us", "down", 0, 1, "0 of 1 endpoint up"),
    )


def test_a_service_without_endpoints_is_untested() -> None:
    assert judge_service(()) == ("untested", "0 of 0 endpoints up")


def test_it_says_since_when_it_is_what_it_is_and_what_it_is_now() -> None:
    service = service_of(eu=(UP,))
    assert service.settle(now=6.0)
    service.move("eu", None, "up")
    assert not service.settle(now=7.0)
    assert (service.verdict().since, service.verdict().healthy) == (6.0, 2)
    service.move("eu", "up", "down")
    service.move("eu", "up", "down")
    assert service.settle(now=8.0)
    assert (service.verdict().health, service.verdict().since) == ("down", 8.0)


def test_a_region_that_all_endpoints_left_is_not_named_and_a_service_without_any_is_empty() -> None:
    service = service_of(eu=(UP,), us=(DOWN,))
    service.move("us", "down", None)
    assert [one.region for one in service.verdict().regions] == ["eu"]
    assert service.verdict().health == "up"
    service.move("eu", "up", None)
    assert service.is_empty
