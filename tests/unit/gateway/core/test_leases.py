"""Tokens that several holders lease from one store, against an exact log of all that they admitted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gateway.core.gcra import Quota, quota
from gateway.core.leases import BORROWED_SHARE, IDLE_S, MIN_BORROWED, Ask, Given, LeaseBook

KEY = b"client"


@dataclass
class Store:
    """What the script does in Redis (gateway/admission/leases.py), in plain words."""

    full: dict[bytes, float] = field(default_factory=dict)

    def answer(self, asks: Sequence[Ask], now: float) -> list[Given]:
        return [self._answer(ask, now) for ask in asks]

    def _answer(self, ask: Ask, now: float) -> Given:
        full = max(now, self.full.get(ask.key, now + ask.known_s))
        full = min(max(now, full + ask.owed * ask.interval_s), now + ask.most_s)
        free = int((now + ask.burst * ask.interval_s - full) / ask.interval_s + 1e-6)
        granted = max(0, min(ask.wanted, free))
        full += granted * ask.interval_s
        self.full[ask.key] = full
        return Given(granted, full - now)


@dataclass
class Town:
    """Holders with one store, whose answers take a while, and the log of what they admitted."""

    quota: Quota
    holders: int
    latency_s: float = 0.004
    store: Store = field(default_factory=Store)
    log: list[float] = field(default_factory=list)
    asks: int = 0

    def __post_init__(self) -> None:
        self.books = [LeaseBook(holders=self.holders) for _ in range(self.holders)]
        self._under_way: dict[int, tuple[float, float, list[bytes], list[Given]]] = {}

    @property
    def bound(self) -> float:
        """Of what is admitted too much, as the module says."""
        return max(self.quota.burst / BORROWED_SHARE, MIN_BORROWED * self.holders)

    def exchange(self, now: float) -> None:
        for number, book in enumerate(self.books):
            if number in self._under_way:
                sent_at, back_at, keys, answers = self._under_way[number]
                if now < back_at:
                    continue
                book.answered(keys, answers, sent_at=sent_at, now=now)
                del self._under_way[number]
            book.advance(now)
            keys, asks = book.collect(now, most=100)
            if keys:
                self.asks += 1
                self._under_way[number] = (now, now + self.latency_s, keys, self.store.answer(asks, now))

    def ask(self, holder: int, now: float) -> bool:
        taken = self.books[holder].take(KEY, self.quota, now, 0.0)
        assert taken is not None
        if not taken.wait_s:
            self.log.append(now)
        return not taken.wait_s

    def worst_excess(self) -> float:
        """By how many more than burst and rate allow, in the worst of all windows."""
        worst = -float("inf")
        lowest = float("inf")
        for index, at in enumerate(self.log):
            lowest = min(lowest, index - self.quota.rate * at)
            worst = max(worst, index + 1 - self.quota.rate * at - lowest)
        return worst - self.quota.burst


def run(town: Town, *, seconds: float, per_s: Sequence[float], began: float = 100.0) -> None:
    """Every holder is asked at random, so often a second."""
    rng = random.Random(7)
    step_s = 0.001
    for step in range(int(seconds / step_s)):
        now = began + step * step_s
        town.exchange(now)
        for holder, rate in enumerate(per_s):
            for _ in range(int(rate * step_s + rng.random())):
                town.ask(holder, now)


@pytest.mark.parametrize("holders", [1, 4, 8])
@pytest.mark.parametrize(("rate", "burst"), [(200.0, 200), (50.0, 10), (1000.0, 50), (5.0, 100)])
def test_a_flood_gets_the_rate_and_no_more_than_the_bound_above_it(holders: int, rate: float, burst: int) -> None:
    town = Town(quota(rate, burst), holders)
    run(town, seconds=3.0, per_s=[3000.0 / holders] * holders)
    assert town.worst_excess() <= town.bound
    assert len(town.log) >= 0.9 * (burst + 3.0 * rate) - holders


@pytest.mark.parametrize("per_s", [[60.0, 60.0, 60.0, 0.0], [180.0, 0.0, 0.0, 0.0], [45.0, 45.0, 45.0, 45.0]])
def test_who_stays_below_the_limit_is_not_refused_wherever_they_ask(per_s: list[float]) -> None:
    town = Town(quota(200.0, 100), 4)
    refused = 0
    rng = random.Random(3)
    for step in range(3000):
        now = 100.0 + step * 0.001
        town.exchange(now)
        for holder, rate in enumerate(per_s):
            if rng.random() < rate * 0.001:
                refused += not town.ask(holder, now)
    assert refused == 0
    assert town.asks < len(town.log) / 2, "one question for many requests"


def test_a_store_at_the_other_end_of_the_world_still_gives_the_whole_rate() -> None:
    town = Town(quota(200.0, 200), 4, latency_s=0.2)
    run(town, seconds=4.0, per_s=[750.0] * 4)
    assert town.worst_excess() <= town.bound
    assert len(town.log) >= 0.9 * (200 + 4.0 * 200.0)


def test_a_browsers_first_burst_is_admitted_before_the_store_has_answered() -> None:
    town = Town(quota(10.0, 20), 4)
    assert [town.ask(0, 100.0) for _ in range(6)] == [True] * 4 + [False] * 2
    town.exchange(100.0)
    town.exchange(100.005)
    assert town.ask(0, 100.005)


def test_what_is_leased_and_not_used_goes_back_to_the_others() -> None:
    town = Town(quota(1.0, 40), 2)
    run(town, seconds=0.2, per_s=[100.0, 0.0])
    assert town.books[0].take(KEY, town.quota, 100.2, 0.0) is not None
    for tenths in range(1, int(IDLE_S * 10) + 25):
        town.exchange(100.2 + tenths * 0.1)
    owed = town.store.full[next(iter(town.store.full))] - (100.2 + (IDLE_S * 10 + 24) * 0.1)
    assert owed <= len(town.log) + 1 - IDLE_S


def test_a_store_that_forgot_everything_is_told_what_the_holders_know() -> None:
    town = Town(quota(1.0, 100), 4)
    run(town, seconds=0.5, per_s=[400.0] * 4)
    admitted = len(town.log)
    assert admitted >= 100
    town.store.full.clear()
    run(town, seconds=0.5, per_s=[400.0] * 4, began=100.5)
    assert len(town.log) <= admitted + town.bound


def test_what_the_nodes_share_admitted_meanwhile_is_charged_when_the_store_is_back() -> None:
    town = Town(quota(1.0, 100), 2)
    book = town.books[0]
    for _ in range(40):
        book.note(KEY, town.quota, 100.0, is_heard=False)
    keys, asks = book.collect(102.0, most=10)
    assert asks[0].owed == 39, "one has come back since, at half of the rate"
    book.failed(keys, 102.0)
    keys, asks = book.collect(112.0, most=10)
    assert asks[0].owed == 34, "a failed question has not been charged, and time goes on"
    answers = town.store.answer(asks, 112.0)
    assert answers == [Given(0, 34.0)]
    book.answered(keys, answers, sent_at=112.0, now=112.0)
    assert book.owed_until(KEY) == 146.0
    for _ in range(3):
        book.note(KEY, town.quota, 113.0, is_heard=True)
    assert book.collect(120.0, most=10)[1][0].owed == 3, "while it answers, each is charged, whenever it is told"


def test_a_request_that_may_wait_is_told_how_long_and_has_its_token() -> None:
    town = Town(quota(10.0, 1), 1)
    book = town.books[0]
    waits = []
    for _ in range(3):
        taken = book.take(KEY, town.quota, 100.0, 0.25)
        assert taken is not None
        waits.append(round(taken.wait_s, 3))
    assert waits == [0.0, 0.1, 0.2]
    assert book.collect(100.0, most=1)[1][0].owed == 3


def test_looking_spends_nothing_and_keeps_nothing() -> None:
    book = LeaseBook(holders=2)
    for _ in range(100):
        taken = book.take(KEY, quota(1.0, 1), 100.0, 0.0, spend=False)
        assert taken is not None
        assert taken.wait_s == 0.0
    assert (len(book), book.has_to_tell) == (0, False)


def test_a_reload_keeps_what_is_owed() -> None:
    town = Town(quota(1.0, 4), 1)
    assert [town.ask(0, 100.0) for _ in range(5)].count(True) == 4
    town.exchange(100.0)
    town.exchange(100.01)
    town.quota = quota(1.0, 4)
    assert not town.ask(0, 100.02)
    town.quota = quota(1.0, 8)
    assert town.ask(0, 100.02), "by the new quota there is more"


def test_memory_is_bounded_and_what_owes_nothing_is_forgotten() -> None:
    store, book = Store(), LeaseBook(holders=2, max_keys=100)
    of = quota(10.0, 10)
    for number in range(150):
        taken = book.take(b"%d" % number, of, 100.0, 0.0)
        assert (taken is None) == (number >= 100)
    assert (len(book), book.overflowed) == (100, 50)
    for tenths in range(80):
        now = 100.0 + tenths / 10
        book.advance(now)
        keys, asks = book.collect(now, most=1000)
        book.answered(keys, store.answer(asks, now), sent_at=now, now=now)
    assert len(book) == 0
