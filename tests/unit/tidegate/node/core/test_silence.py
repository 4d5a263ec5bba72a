"""Who hangs: a child that is not heard, as long as somebody listens."""

from __future__ import annotations

from tidegate.node.core.silence import START_PERIODS, Silence


def listen(silence: Silence[str], *, since: float, until: float, heard: tuple[str, ...] = ()) -> dict[str, float]:
    """Look every second, hearing some; who was told to hang, and when."""
    told: dict[str, float] = {}
    now = since
    while now <= until:
        for who in heard:
            silence.heard(who, now=now)
        told |= dict.fromkeys(silence.look(now=now), now)
        now += 1.0
    return told


def started(*children: str) -> Silence[str]:
    silence: Silence[str] = Silence(20.0)
    for child in children:
        silence.began(child, now=0.0)
        silence.heard(child, now=0.0)
    return silence


def test_who_says_nothing_for_the_whole_period_hangs_and_is_told_once() -> None:
    assert listen(started("a", "b"), since=0.0, until=90.0, heard=("b",)) == {"a": 20.0}


def test_who_speaks_just_in_time_does_not_hang() -> None:
    silence = started("a")
    assert listen(silence, since=0.0, until=19.0) == {}
    silence.heard("a", now=19.5)
    assert listen(silence, since=20.0, until=39.0) == {}


def test_a_start_may_take_several_periods_but_not_for_ever() -> None:
    silence: Silence[str] = Silence(20.0)
    silence.began("a", now=0.0)
    assert listen(silence, since=0.0, until=300.0) == {"a": 20.0 * START_PERIODS}


def test_nothing_is_expected_of_who_has_ended() -> None:
    silence = started("a")
    silence.ended("a")
    silence.ended("a")
    silence.heard("a", now=1.0)
    assert listen(silence, since=1.0, until=100.0) == {}
    assert silence.next_look() is None


def test_after_the_listener_was_away_everybody_has_a_fresh_period() -> None:
    silence = started("a", "b")
    listen(silence, since=0.0, until=5.0)
    # The machine was suspended for an hour; `b` speaks again, `a` does not.
    assert silence.look(now=3605.0) == []
    assert listen(silence, since=3606.0, until=3700.0, heard=("b",)) == {"a": 3625.0}


def test_an_absence_never_shortens_what_a_start_may_take() -> None:
    silence: Silence[str] = Silence(20.0)
    silence.began("a", now=0.0)
    silence.look(now=0.0)
    silence.look(now=50.0)
    assert listen(silence, since=51.0, until=300.0) == {"a": 200.0}


def test_looks_are_close_enough_together_to_tell_an_absence_from_a_quiet_time() -> None:
    silence = started("a")
    assert silence.next_look() is None
    silence.look(now=1.0)
    assert silence.next_look() == 6.0
    told: list[str] = []
    now = 1.0
    while not told:
        now = silence.next_look() or now
        told = silence.look(now=now)
    assert now == 21.0, "looking only when it asks to is enough"
