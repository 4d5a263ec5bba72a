"""All names together, with a resolver whose answers a test holds back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from health.core.discovery import Answer, Bounds, Found, LookupFailed, Name
from health.discovery.names import LOOKUPS_AT_ONCE, Names
from tidegate.demo.waiting import until

BOUNDS = Bounds(0.02, 0.05)


class Scripted:
    """Answers when it is let, by host; a host without an answer fails, one in `broken` has a defect."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.broken: set[str] = set()
        self.go = asyncio.Event()
        self.go.set()

    async def lookup(self, name: Name) -> Answer:
        self.asked.append(name.host)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        if name.host in self.broken:
            raise ZeroDivisionError
        if name.host not in self.hosts:
            raise LookupFailed("SERVFAIL")
        return Answer((Found(0, self.hosts[name.host], 80, name.host),), 0.02)


class Running:
    def __init__(self) -> None:
        self.resolver = Scripted()
        self.changes = 0
        self.names = Names(
            on_change=self._changed,
            rng=random.Random(1),
            wall=lambda: 100.0,
            clock=asyncio.get_running_loop().time,
            make_resolver=lambda _: self.resolver,
        )

    def _changed(self) -> None:
        self.changes += 1

    def want(self, *hosts: str) -> None:
        names = [Name(f"api/eu/{host}:80", "dns", host, 80) for host in hosts]
        self.names.reconcile(names, resolvers="system", bounds=BOUNDS)

    def hosts(self) -> dict[str, str]:
        return {key: found[0].host for key, found in self.names.found().items()}


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    task = asyncio.get_running_loop().create_task(made.names.run())
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def waiting(condition: object) -> None:
    assert callable(condition)
    await until(condition, within_s=5, what="a test's condition", every_s=0)


async def test_a_change_is_told_once_and_the_same_answer_is_not(running: Running) -> None:
    running.resolver.hosts["a"] = "10.0.0.1"
    running.want("a")
    await waiting(lambda: running.resolver.asked.count("a") >= 4)
    assert running.changes == 1
    running.resolver.hosts["a"] = "10.0.0.2"
    await waiting(lambda: running.changes == 2)
    assert running.hosts() == {"api/eu/a:80": "10.0.0.2"}


async def test_a_name_that_fails_or_has_a_defect_costs_the_others_nothing(running: Running) -> None:
    running.resolver.hosts["good"] = "10.0.0.1"
    running.resolver.broken.add("broken")
    running.want("bad", "broken", "good")
    await waiting(lambda: running.changes == 1 and running.resolver.asked.count("broken") > 1)
    reasons = {ledger.name.host: ledger.reason for ledger in running.names.ledgers()}
    assert reasons == {"bad": "SERVFAIL", "broken": "lookup defect: ZeroDivisionError", "good": "1 server"}


async def test_lookups_in_flight_are_bounded_and_the_rest_follows(running: Running) -> None:
    running.resolver.go.clear()
    hosts = [f"n{number}" for number in range(LOOKUPS_AT_ONCE * 2)]
    running.resolver.hosts = dict.fromkeys(hosts, "10.0.0.1")
    running.want(*hosts)
    await waiting(lambda: running.resolver.at_once == LOOKUPS_AT_ONCE)
    running.resolver.go.set()
    await waiting(lambda: len(running.hosts()) == len(hosts))
    assert running.resolver.most_at_once == LOOKUPS_AT_ONCE


async def test_a_name_that_left_the_configuration_in_the_middle_of_its_lookup_changes_nothing(running: Running) -> None:
    running.resolver.hosts = {"a": "10.0.0.1", "b": "10.0.0.2"}
    running.resolver.go.clear()
    running.want("a")
    await waiting(lambda: running.resolver.at_once == 1)
    running.want("b")
    running.resolver.go.set()
    await waiting(lambda: running.hosts() == {"api/eu/b:80": "10.0.0.2"})
    assert running.changes == 1


async def test_what_stays_in_the_configuration_keeps_what_is_known_of_it(running: Running) -> None:
    running.resolver.hosts["a"] = "10.0.0.1"
    running.want("a")
    await waiting(lambda: running.changes == 1)
    del running.resolver.hosts["a"]
    running.want("a", "b")
    assert running.hosts() == {"api/eu/a:80": "10.0.0.1"}


async def test_what_an_earlier_process_knew_is_in_force_before_anybody_answers(running: Running) -> None:
    running.names.restore({"api/eu/a:80": [Found(0, "10.0.0.9", 80, "a")], "api/eu/gone:80": []})
    running.want("a")
    assert running.hosts() == {"api/eu/a:80": "10.0.0.9"}
