"""Thousands of bad days in seconds: at most one leader an epoch, no stale effect, nothing acknowledged is lost.

TIDEGATE_SEEDS=5000 runs more of them; a seed that fails is printed and fails again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from health.core.acceptor import Accept, Prepare, Reaction, Register, react
from health.core.lease import Lease, LeaseSettings
from health.core.membership import Reform
from tests.simulation.election import Violation, Weather, World

SEEDS = int(os.environ.get("TIDEGATE_SEEDS", "25"))
"""Per kind of weather."""

WEATHERS = {
    "calm": Weather(),
    "lossy": Weather(loss=0.2, twice=0.1, delay_s=0.3),
    "slow": Weather(slow=0.2, delay_s=0.4, loss=0.05),
    "paused": Weather(pauses=0.08, loss=0.03, slow=0.05),
    "restarting": Weather(restarts=0.08, loss=0.05),
    "forgetful": Weather(restarts=0.06, amnesia=0.6, loss=0.05, slow=0.05),
    "cut": Weather(cuts=0.1, loss=0.05),
    "everything": Weather(
        loss=0.1, slow=0.1, twice=0.05, delay_s=0.2, pauses=0.04, restarts=0.04, amnesia=0.3, cuts=0.05
    ),
}


def lived(seed: int, weather: Weather, **planted: Any) -> World:
    world = World(seed, weather, nodes=random.Random(seed).choice((2, 3, 4)), **planted)
    world.run_for(60.0)
    world.check_books()
    return world


@pytest.mark.parametrize("name", WEATHERS)
def test_no_epoch_has_two_leaders_no_stale_effect_counts_and_nothing_acknowledged_is_lost(name: str) -> None:
    elections = effects = 0
    for seed in range(SEEDS):
        try:
            world = lived(seed, WEATHERS[name])
        except Violation as violation:
            raise AssertionError(f"seed {seed}, weather {name}: {violation}") from violation
        elections += world.elections
        effects += len(world.acknowledged["journal"])
    assert elections >= SEEDS
    assert effects >= SEEDS * 5


def test_five_acceptors_bear_two_that_are_gone() -> None:
    for seed in range(SEEDS // 10):
        world = World(seed, Weather(loss=0.05), acceptors=5)
        world.run_for(15.0)
        for name in ("a0", "a3"):
            world.acceptors[name].down_until = 40.0
        before = len(world.acknowledged["journal"])
        world.run_for(20.0)
        assert len(world.acknowledged["journal"]) > before
        world.check_books()


def test_a_new_leader_stands_within_the_lease_and_two_seconds() -> None:
    waits = []
    for seed in range(SEEDS // 3):
        world = World(seed, Weather())
        world.run_for(10.0)
        (leader,) = [node for node in world.nodes if node.lease.epoch(node.now()) is not None]
        world.nodes.remove(leader)
        leader.run, died, epochs = "dead", world.t, len(world.epochs)
        while len(world.epochs) == epochs:
            world.run_for(0.1, storms=False)
        waits.append(world.t - died)
    assert max(waits) <= 3.0 + 2.0


# What the simulation must find, or it is worth nothing


def accepts_anything(meta: Any, registers: Mapping[str, Register], request: Any, *, fresh: str) -> Reaction:
    if isinstance(request, Accept):
        known = registers.get(request.register)
        registers = {request.register: msgspec.structs.replace(known, promised=(0, ""))} if known else registers
    return react(meta, registers, request, fresh=fresh)


def forgets_to_fence(meta: Any, registers: Mapping[str, Register], request: Any, *, fresh: str) -> Reaction:
    if isinstance(request, Prepare | Accept):
        request = msgspec.structs.replace(request, epoch=None)
    return react(meta, registers, request, fresh=fresh)


def fences_only_accepting(meta: Any, registers: Mapping[str, Register], request: Any, *, fresh: str) -> Reaction:
    if isinstance(request, Prepare):
        request = msgspec.structs.replace(request, epoch=None)
    return react(meta, registers, request, fresh=fresh)


class Impatient(Lease):
    """Waits half of what it must."""

    def _wait_s(self, value: Any) -> float:
        return super()._wait_s(value) / 2


def stubborn(*, settings: LeaseSettings, **rest: Any) -> Lease:
    """Leads on for two seconds after its lease is over."""
    return Lease(settings=replace(settings, margin_s=-2.0), **rest)


class Repetitive(Lease):
    """A second attempt looks like the first, of which nobody knows whether it came through."""

    def _next_beat(self, known: Any) -> int:
        return (known.beat if known else 0) + 1


class Hasty(Reform):
    """Seals one member, and believes it."""

    def _is_sealed(self) -> bool:
        return not self.is_failed and bool(self._shown)


PLANTED: dict[str, tuple[Weather, dict[str, Any]]] = {
    "an acceptor takes what it promised not to": (WEATHERS["slow"], {"react": accepts_anything}),
    "an acceptor does not look at the fence": (WEATHERS["slow"], {"react": forgets_to_fence}),
    "a fence holds for Accept and not for Prepare": (WEATHERS["slow"], {"react": fences_only_accepting}),
    "a contender waits too short": (WEATHERS["cut"], {"make_lease": Impatient}),
    "a renewal that is tried again looks like the first": (WEATHERS["forgetful"], {"make_lease": Repetitive}),
    "a leader goes on after its deadline": (WEATHERS["cut"], {"make_lease": stubborn}),
    "promises are not durable": (Weather(slow=0.2, restarts=0.6, delay_s=0.4, down_s=0.05), {"forgets_promises": True}),
    "lost memory is not noticed": (
        Weather(restarts=0.2, amnesia=1.0, slow=0.2),
        {"keeps_incarnation": True},
    ),
    "a member is re-admitted by one other": (
        Weather(restarts=0.3, amnesia=1.0, loss=0.2, cuts=0.2, down_s=0.3),
        {"make_reform": Hasty},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_found(name: str) -> None:
    weather, planted = PLANTED[name]
    for seed in range(2000):
        try:
            lived(seed, weather, **planted)
        except Violation:
            return
    pytest.fail(f"{name}: not found in 2000 seeds")
