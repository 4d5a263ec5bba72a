"""The prober on a clock of the test's own: attempts that do as they are told, no socket, no waiting."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from health.core.probe import Outcome, ProbeSettings, ProbeTarget
from health.core.schedule import FORGIVEN_S, verdict_bound_s
from health.prober import Prober

WELL = Outcome(passed=True, reason="http 200", rtt_s=0.08)
ILL = Outcome(passed=False, reason="connection refused")
SILENT = Outcome(passed=False, reason="no answer in 1s")
BROKEN = Outcome(passed=None, reason="no free local port")

SETTINGS = ProbeSettings(interval_s=1.0, timeout_s=0.5, jitter=0.2, healthy_threshold=2, unhealthy_threshold=3)
GRACE_S = 0.1
"""What the promise leaves to the node itself."""


def target(number: int = 1, region: str = "eu", of: ProbeSettings = SETTINGS) -> ProbeTarget:
    host = f"10.0.0.{number}"
    return ProbeTarget(f"api/{region}/{host}:80", "api", region, host, 80, of)


@dataclass
class Told:
    """An attempt of the test's: in flight until the world has it end."""

    target: ProbeTarget
    on_end: Callable[[Outcome], None]
    started_at: float | None = None
    is_over: bool = False
    on_start: Callable[[Told], None] = lambda told: None

    def start(self) -> None:
        self.on_start(self)

    def end(self, outcome: Outcome) -> None:
        self.is_over = True
        self.on_end(outcome)

    def expire(self) -> Outcome:
        self.is_over = True
        return SILENT

    def abandon(self) -> None:
        self.is_over = True


@dataclass
class World:
    """Time, chance, and endpoints that answer `answers[endpoint]` at once; None: not at all."""

    seed: int = 1
    probes_at_once: int = 256
    now: float = 1000.0
    wall: float = 5000.0
    tick_late_s: float = 0.0
    answers: dict[str, Outcome | None] = field(default_factory=dict)
    attempts: list[Told] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.prober = Prober(
            node_id="gw-1",
            on_change=self._changed,
            rng=self.rng,
            clock=lambda: self.now,
            wall=lambda: self.wall,
            begin=self._begin,
            probes_at_once=self.probes_at_once,
        )

    def _changed(self) -> None:
        self.changes += 1

    def _begin(self, of: ProbeTarget, on_end: Callable[[Outcome], None]) -> Told:
        told = Told(of, on_end, self.now, on_start=self._started)
        self.attempts.append(told)
        return told

    def _started(self, told: Told) -> None:
        outcome = self.answers.get(told.target.endpoint)
        if outcome is not None:
            told.end(outcome)

    def go(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Lets time pass, ticking when the prober asked for it; says whether `until` came true."""
        end = self.now + seconds
        while True:
            next_at = self.prober.tick()
            if until():
                return True
            if next_at > end:
                self.wall += end - self.now
                self.now = end
                return False
            late_s = self.tick_late_s * self.rng.random()
            self.wall += max(next_at + late_s - self.now, 0)
            self.now = max(next_at + late_s, self.now)

    def health(self, of: ProbeTarget) -> str:
        return self.prober.endpoints()[of.endpoint].health

    def starts(self, of: ProbeTarget) -> list[float]:
        return [told.started_at or 0 for told in self.attempts if told.target.endpoint == of.endpoint]


def world_of(*targets: ProbeTarget, answer: Outcome | None = WELL, seed: int = 1, probes_at_once: int = 256) -> World:
    world = World(seed, probes_at_once)
    world.answers = {one.endpoint: answer for one in targets}
    world.prober.reconcile(targets)
    return world


ONE, TWO, FAR = target(1), target(2), target(3, "us")


def test_an_endpoint_is_probed_within_its_first_interval_and_then_at_its_pace() -> None:
    world = world_of(ONE)
    world.go(60)
    starts = world.starts(ONE)
    assert starts[0] <= 1001.0
    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) >= 0.8 - 1e-9
    assert max(gaps) <= 1.2 + 1e-9
    assert 50 <= len(starts) <= 75


def test_first_probes_are_spread_over_the_first_second() -> None:
    many = [target(number) for number in range(1, 101)]
    world = world_of(*many)
    world.go(1)
    firsts = sorted(world.starts(one)[0] - 1000.0 for one in many)
    assert [sum(lower <= first < lower + 0.25 for first in firsts) > 10 for lower in (0, 0.25, 0.5, 0.75)] == [True] * 4


def test_a_first_verdict_is_told_once_and_nothing_after_while_nothing_changes() -> None:
    world = world_of(ONE)
    world.go(1)
    assert world.health(ONE) == "up"
    told = world.changes
    world.go(60)
    assert world.changes <= told + 1  # the region's distance, once it was measured
    assert world.prober.regions()["eu"].reason == "1 of 1 endpoint up"


def test_an_attempt_that_outlasts_its_timeout_is_ended_and_counted() -> None:
    world = world_of(ONE, answer=None)
    assert world.go(2, until=lambda: world.health(ONE) == "down")
    assert world.prober.endpoints()[ONE.endpoint].reason == "no answer in 1s"
    assert world.now - world.starts(ONE)[0] == pytest.approx(SETTINGS.timeout_s)
    assert world.attempts[0].is_over
    assert world.prober.load().in_flight == 0


SETTINGS_OF_ALL_KINDS = st.builds(
    ProbeSettings,
    interval_s=st.floats(0.02, 10),
    timeout_s=st.floats(0.01, 15),
    jitter=st.floats(0, 1),
    healthy_threshold=st.integers(1, 4),
    unhealthy_threshold=st.integers(1, 4),
)


def promised_s(of: ProbeSettings, threshold: int) -> float:
    """The bound, and what the node may lose itself: once, or at every probe where each waits for the one before."""
    waits_for_another = of.timeout_s + GRACE_S > of.longest_gap_s
    return verdict_bound_s(of, threshold=threshold) + GRACE_S * (threshold if waits_for_another else 1)


@settings(max_examples=150, deadline=None)
@given(SETTINGS_OF_ALL_KINDS, st.integers(0, 2**32), st.floats(0, 1), st.sampled_from([ILL, None]))
@example(replace(SETTINGS, interval_s=0.25, timeout_s=0.25, jitter=0.0, unhealthy_threshold=4), 4, 0.25, None)
def test_who_dies_is_left_and_who_returns_is_back_within_the_promised_time(
    of: ProbeSettings, seed: int, moment: float, death: Outcome | None
) -> None:
    one = target(of=of)
    world = world_of(one, seed=seed)
    world.tick_late_s = GRACE_S / 2 if of.interval_s > 0.2 else 0.0
    world.go(1 + moment * 5 * of.longest_gap_s)

    world.answers[one.endpoint], died = death, world.now
    bound_s = promised_s(of, of.unhealthy_threshold)
    assert world.go(3 * bound_s, until=lambda: world.health(one) == "down")
    assert world.now - died <= bound_s
    assert world.prober.regions()["eu"].health == "down"

    world.go(moment * 3)
    world.answers[one.endpoint], returned = WELL, world.now
    bound_s = promised_s(of, of.healthy_threshold)
    assert world.go(3 * bound_s, until=lambda: world.health(one) == "up")
    assert world.now - returned <= bound_s
    assert world.prober.regions()["eu"].health == "up"


@settings(max_examples=100, deadline=None)
@given(SETTINGS_OF_ALL_KINDS, st.integers(0, 2**32))
def test_probes_of_one_endpoint_never_overlap(of: ProbeSettings, seed: int) -> None:
    one = target(of=of)
    world = world_of(one, answer=None, seed=seed)
    for _ in range(20):
        world.go(of.longest_gap_s, until=lambda: sum(not told.is_over for told in world.attempts) > 1)
        assert sum(not told.is_over for told in world.attempts) <= 1


# --- reloads ----------------------------------------------------------------------------------------------------------


def test_a_reload_that_changes_nothing_leaves_attempts_and_schedule_alone() -> None:
    calm, stirred = world_of(ONE, TWO), world_of(ONE, TWO)
    for _ in range(30):
        calm.go(1)
        stirred.go(1)
        stirred.prober.reconcile([replace(ONE), replace(TWO)])
    assert stirred.starts(ONE) == calm.starts(ONE)
    assert stirred.prober.endpoints() == calm.prober.endpoints()


def test_a_removed_endpoint_is_not_probed_again_and_its_attempt_is_given_up() -> None:
    world = world_of(ONE, TWO, answer=None)
    world.go(1, until=lambda: world.attempts[-1:] != [] and world.attempts[-1].target == ONE)
    dropped = world.attempts[-1]
    world.prober.reconcile([TWO])
    assert dropped.is_over
    dropped.on_end(WELL)  # too late to be heard
    assert world.prober.load().in_flight == sum(not told.is_over for told in world.attempts)
    count = len(world.starts(ONE))
    world.go(10)
    assert len(world.starts(ONE)) == count
    assert list(world.prober.endpoints()) == [TWO.endpoint]


def test_an_endpoint_that_left_and_returned_is_untested() -> None:
    world = world_of(ONE)
    world.go(1)
    world.prober.reconcile([])
    assert world.prober.regions() == {}
    world.prober.reconcile([ONE])
    assert world.health(ONE) == "untested"


def test_a_shorter_interval_holds_from_the_reload_on() -> None:
    slow = target(of=ProbeSettings(interval_s=600, timeout_s=0.5))
    world = world_of(slow)
    world.go(2)
    world.prober.reconcile([replace(slow, settings=SETTINGS)])
    world.answers[slow.endpoint] = ILL
    assert world.go(verdict_bound_s(SETTINGS, threshold=3), until=lambda: world.health(slow) == "down")


def test_a_new_question_is_asked_soon_and_the_old_one_is_not_waited_for() -> None:
    world = world_of(ONE, answer=None)
    world.go(1, until=lambda: world.prober.load().in_flight == 1)
    elsewhere = replace(ONE, port=8081)
    world.answers[ONE.endpoint] = WELL
    world.prober.reconcile([elsewhere])
    assert world.attempts[0].is_over
    assert world.go(1, until=lambda: world.health(ONE) == "up")
    assert world.attempts[-1].target.port == 8081


def test_an_earlier_process_s_verdicts_are_taken_up_and_told() -> None:
    earlier = world_of(ONE, answer=ILL)
    earlier.go(1)
    world = world_of(ONE)
    told = world.changes
    world.prober.restore(earlier.prober.endpoints())
    assert (world.health(ONE), world.changes) == ("down", told + 1)
    assert world.prober.regions()["eu"].health == "down"
    assert world.go(verdict_bound_s(SETTINGS, threshold=2), until=lambda: world.health(ONE) == "up")


# --- trouble of our own -----------------------------------------------------------------------------------------------


def test_a_probe_that_says_nothing_about_the_endpoint_moves_nothing_and_is_counted() -> None:
    world = world_of(ONE)
    world.go(1)
    world.answers[ONE.endpoint] = BROKEN
    world.go(30)
    assert world.health(ONE) == "up"
    assert world.prober.load().inconclusive > 20
    assert world.prober.history(ONE.endpoint)[-1].reason == "no free local port"


def test_an_attempt_that_cannot_be_begun_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    world = world_of(ONE, TWO)
    world.go(1)
    real = world.prober

    def fails(told: Told) -> None:
        raise RuntimeError("a defect")

    class Defective(World):
        def _begin(self, of: ProbeTarget, on_end: Callable[[Outcome], None]) -> Told:
            return Told(of, on_end, self.now, on_start=fails if of == ONE else self._started)

    defective = Defective()
    defective.answers = {TWO.endpoint: WELL}
    defective.prober.restore(real.endpoints())
    defective.prober.reconcile([ONE, TWO])
    defective.go(10)
    assert (defective.health(ONE), defective.health(TWO)) == ("up", "up")
    assert defective.prober.endpoints()[ONE.endpoint].last is not None
    assert defective.prober.history(ONE.endpoint)[-1].reason == "probe defect: RuntimeError"
    assert defective.prober.load().in_flight == 0
    assert "a defect" in caplog.text


def test_a_listener_that_fails_is_logged_and_probing_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(World):
        def _changed(self) -> None:
            raise RuntimeError("nobody listens")

    world = Deaf()
    world.answers = {ONE.endpoint: WELL}
    world.prober.reconcile([ONE])
    world.go(10)
    assert world.health(ONE) == "up"
    assert len(world.starts(ONE)) > 5
    assert "nobody listens" in caplog.text


def test_an_outcome_is_heard_once() -> None:
    world = world_of(ONE, answer=None)
    world.go(1, until=lambda: world.prober.load().in_flight == 1)
    told = world.attempts[0]
    told.end(WELL)
    told.on_end(ILL)
    assert [result.reason for result in world.prober.history(ONE.endpoint)] == ["http 200"]
    assert world.prober.load().in_flight == 0


def test_a_node_that_stood_still_gives_its_attempts_the_time_they_lost() -> None:
    world = world_of(ONE, answer=None)
    world.go(1, until=lambda: world.prober.load().in_flight == 1)
    world.now += 30
    world.prober.tick()
    assert not world.attempts[0].is_over
    world.attempts[0].end(WELL)
    assert world.health(ONE) == "up"


def test_a_node_that_stood_still_ends_a_silent_attempt_after_one_more_timeout() -> None:
    world = world_of(ONE, answer=None)
    world.go(1, until=lambda: world.prober.load().in_flight == 1)
    world.now += 30
    world.go(SETTINGS.timeout_s)
    assert world.health(ONE) == "down"


def test_a_node_that_stood_still_probes_on_without_catching_up() -> None:
    world = world_of(ONE)
    world.go(5)
    before = len(world.attempts)
    world.now += 3600
    world.go(10)
    assert 8 <= len(world.attempts) - before <= 14


def test_a_jump_of_the_wall_clock_changes_only_what_people_read() -> None:
    calm, jumpy = world_of(ONE), world_of(ONE)
    for world, jump_s in ((calm, 0.0), (jumpy, -86400.0)):
        world.go(5)
        world.wall += jump_s
        world.answers[ONE.endpoint] = ILL
        world.go(20)
    assert jumpy.starts(ONE) == calm.starts(ONE)
    assert jumpy.health(ONE) == "down"
    since = calm.prober.endpoints()[ONE.endpoint].since
    assert jumpy.prober.endpoints()[ONE.endpoint].since == pytest.approx(since - 86400)


# --- many -------------------------------------------------------------------------------------------------------------


def test_no_more_probes_are_in_flight_than_allowed_and_the_others_wait_visibly_in_order() -> None:
    many = [target(number) for number in range(1, 11)]
    world = world_of(*many, answer=None, probes_at_once=3)
    world.go(1, until=lambda: world.prober.load().waiting == 4)
    load = world.prober.load()
    assert (load.in_flight, load.limit, load.endpoints) == (3, 3, 10)
    assert load.longest_wait_s > 0
    first = next(told for told in world.attempts if not told.is_over)
    first.end(WELL)
    world.prober.tick()
    assert world.prober.load().in_flight == 3
    world.go(30)
    assert all(world.starts(one) for one in many)
    assert world.prober.load().late > 0


def test_endpoints_that_hang_delay_nobody_while_there_are_slots() -> None:
    many = [target(number) for number in range(1, 101)]
    world = world_of(*many, answer=None)
    world.answers[ONE.endpoint] = WELL
    world.go(60)
    assert world.prober.load().late == 0
    assert len(world.starts(ONE)) >= 50


def test_an_endpoint_that_waits_for_a_slot_may_be_removed() -> None:
    many = [target(number) for number in range(1, 4)]
    world = world_of(*many, answer=None, probes_at_once=1)
    world.go(1, until=lambda: world.prober.load().waiting == 2)
    kept, before = world.attempts[-1].target, len(world.attempts)
    world.prober.reconcile([kept])
    assert world.prober.load().waiting == 0
    world.go(10)
    assert {told.target for told in world.attempts[before:]} == {kept}


def test_a_region_that_moved_away_is_told_though_no_verdict_changed() -> None:
    world = world_of(ONE)
    world.go(5)
    assert world.prober.region_rtts() == {"eu": 0.08}
    told = world.changes
    world.answers[ONE.endpoint] = replace(WELL, rtt_s=0.3)
    world.go(10)
    assert world.changes > told
    assert world.prober.region_rtts()["eu"] > 0.25


def test_changes_of_a_region_are_kept_for_people() -> None:
    world = world_of(ONE, FAR)
    world.go(2)
    world.answers[FAR.endpoint] = ILL
    world.go(10)
    assert [change.health for change in world.prober.region_changes("us")] == ["up", "down"]
    assert world.prober.regions()["us"].changes == 1
    assert world.prober.regions()["eu"].changes == 0


def test_nothing_to_probe_is_nothing_to_wake_for() -> None:
    assert world_of().prober.tick() == float("inf")


def test_a_node_id_that_cannot_stand_in_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="expected printable ASCII"):
        Prober(node_id="gw\r\n1", on_change=lambda: None, rng=random.Random(1), wall=lambda: 0.0)


def test_each_change_is_one_sentence_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = world_of(ONE)
    world.go(1)
    assert "endpoint api/eu/10.0.0.1:80 is up: http 200" in caplog.messages
    assert "region eu is up: 1 of 1 endpoint up" in caplog.messages


def test_the_grace_of_the_promise_covers_what_the_schedule_forgives() -> None:
    assert FORGIVEN_S <= GRACE_S


def test_an_endpoint_in_doubt_is_asked_four_times_as_often_until_the_doubt_is_over() -> None:
    api = target()
    world = world_of(api)
    world.go(10.0)
    calm = [later - earlier for earlier, later in pairwise(world.starts(api))]
    assert min(calm[1:]) >= 0.8 * SETTINGS.interval_s - 0.01
    world.answers[api.endpoint] = ILL
    failed_from = world.now
    assert world.go(10.0, until=lambda: world.health(api) == "down")
    fast = [later - earlier for earlier, later in pairwise(t for t in world.starts(api) if t >= failed_from)]
    assert len(fast) == SETTINGS.unhealthy_threshold - 1
    assert all(0.2 * SETTINGS.interval_s - 0.01 <= gap <= 0.3 * SETTINGS.interval_s + 0.01 for gap in fast)
    settled_from = world.now
    world.go(10.0)
    settled = [later - earlier for earlier, later in pairwise(t for t in world.starts(api) if t >= settled_from)]
    assert min(settled[1:]) >= 0.8 * SETTINGS.interval_s - 0.01


def test_a_suspected_endpoint_is_probed_at_once_and_suspicion_cannot_make_it_a_flood() -> None:
    slow = replace(SETTINGS, interval_s=60.0)
    api, other = target(of=slow), target(2, of=slow)
    world = world_of(api, other)
    world.go(5.0)
    assert (len(world.starts(api)), len(world.starts(other))) == (1, 1)
    world.go(20.0)
    asked_at = world.now
    world.prober.suspect(api.endpoint)
    world.go(0.01)
    assert world.starts(api)[1:] == [pytest.approx(asked_at, abs=0.01)]
    for _ in range(1000):
        world.prober.suspect(api.endpoint)
        world.go(0.01)
    assert len(world.starts(api)) == 2
    world.go(6.0)
    assert len(world.starts(api)) == 3
    assert len(world.starts(other)) == 1


def test_suspicion_of_what_is_not_probed_is_nothing() -> None:
    world = world_of(target())
    world.prober.suspect("api/eu/10.9.9.9:80")
    world.go(5.0)
    assert world.health(target()) == "up"
