"""The prober is doubted only where it must be."""

from __future__ import annotations

from gateway.core.gate import Endpoint, RegionPool, build_pool
from gateway.core.panic import capacity, panicking
from gateway.messages import OperatorState


def pool(region: str, up: int, down: int, *, order: OperatorState | None = None) -> RegionPool:
    made = [
        Endpoint(
            id=f"{region}-{number}",
            service="api",
            region=region,
            host="h",
            port=number,
            weight=1,
            priority=0,
            is_backup=False,
            probe_interval_s=5.0,
            health="up" if number < up else "down",
            health_reason="",
            operator=order or OperatorState(),
        )
        for number in range(up + down)
    ]
    return build_pool("api", region, made, verdict_age_s=0.0)


def panics(*pools: RegionPool, threshold: float = 0.5) -> set[str]:
    by_region = {each.region: each for each in pools}
    return set(panicking(by_region, by_region, threshold=threshold, overprovisioning=1.4))


def test_a_region_carries_all_down_to_five_sevenths() -> None:
    assert [round(capacity(pool("eu", up, 7 - up), 1.4), 3) for up in (7, 5, 4, 0)] == [1.0, 1.0, 0.8, 0.0]


def test_below_the_threshold_all_are_used_but_only_when_the_others_cannot_carry_the_load() -> None:
    assert panics(pool("eu", 1, 3)) == {"eu"}
    assert panics(pool("eu", 1, 3), pool("us", 4, 0)) == set()
    assert panics(pool("eu", 2, 2)) == set()
    assert panics(pool("eu", 1, 3), threshold=0.0) == set()


def test_a_dead_region_does_not_panic_and_neither_do_all_of_them() -> None:
    assert panics(pool("eu", 0, 4)) == set()
    assert panics(pool("eu", 0, 4), pool("us", 1, 3)) == {"us"}


def test_what_an_operator_keeps_out_is_neither_missed_nor_used() -> None:
    out = pool("eu", 1, 3, order=OperatorState(disabled=True))
    assert panics(out) == set()
    assert out.panic is not None
    assert out.panic.tiers == ()
