"""Who is turned away first, and for how long."""

from __future__ import annotations

from gateway.core.shedding import Shedding, Targets

BATCH, INTERACTIVE, CRITICAL = 0, 1, 2


def make() -> Shedding:
    return Shedding(Targets(100, 0.02, 0.8), now=0.0)


def shed(shedding: Shedding, in_flight: int = 0) -> list[bool]:
    return [shedding.refuses(rank, in_flight) is not None for rank in (BATCH, INTERACTIVE, CRITICAL)]


def test_requests_in_flight_turn_batch_away_first_and_critical_last() -> None:
    shedding = make()
    assert [shed(shedding, count) for count in (74, 75, 90, 100)] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_late_loop_sheds_more_the_later_it_is_and_one_hiccup_nothing() -> None:
    shedding = make()
    shedding.observe(delay_s=0.09, memory=None, now=0.0)
    assert shed(shedding) == [False, False, False]
    for turn in range(50):
        shedding.observe(delay_s=0.05, memory=None, now=turn * 0.02)
    assert shed(shedding) == [True, True, False]
    answer = shedding.refuses(BATCH, 0)
    assert answer is not None
    assert (answer.status, answer.reason, answer.retry_after_s) == (503, "shed", 10)
    assert "event-loop delay" in answer.detail
    assert shedding.refuses(BATCH, 0) is answer, "it is made once"


def test_it_relaxes_step_by_step_and_only_well_below_the_target() -> None:
    shedding = make()
    now = 0.0
    for _ in range(60):
        now += 0.02
        shedding.observe(delay_s=0.05, memory=None, now=now)
    assert shedding.level == 2
    for _ in range(100):
        now += 0.02
        shedding.observe(delay_s=0.037, memory=None, now=now)
    assert shedding.level == 2, "just below the target is not well below"
    levels = []
    for _ in range(150):
        now += 0.02
        shedding.observe(delay_s=0.0, memory=None, now=now)
        levels.append(shedding.level)
    assert levels[0] == 2
    assert sorted(levels, reverse=True) == levels
    assert 1 in levels
    assert levels[-1] == 0


def test_memory_sheds_from_its_target_up() -> None:
    shedding = make()
    for memory, level in ((0.79, 0), (0.81, 1), (0.89, 2), (0.97, 3)):
        shedding.observe(delay_s=0.0, memory=memory, now=0.0)
        assert shedding.level == level
    assert "memory" in (shedding.refuses(CRITICAL, 0) or shedding).__repr__()
