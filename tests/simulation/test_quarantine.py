"""Disks that read values wrong while a log is sent: operations are quarantined, heal, and no promise is broken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from sync.core.operation import Sealed, without_value
from tests.harness.memory_store import MemoryStore
from tests.simulation.planted import stores
from tests.simulation.storm import FAULTS, replaced, restored, restored_late
from tests.simulation.world import Mutation, World, run

SHARE = 12
"""One operation in so many is read wrong in one region, always the same."""
AT_LEAST = {1: 0}
"""Seeds in which a snapshot brings what would have been quarantined."""


def misread(region: str, sealed: Sealed) -> Sealed:
    drawn = hashlib.sha256(region.encode() + sealed.head).digest()
    if drawn[0] % SHARE or not sealed.salt:
        return sealed
    return without_value(sealed) if drawn[1] % 2 else Sealed(sealed.head, sealed.salt, sealed.value + b"!")


def misreading(worlds: list[World]) -> Mutation:
    """In all stores; an operation that is asked for by its name is found whole."""

    def change(store: MemoryStore) -> None:
        real = store.operations_after

        async def after(stream: str, have: Mapping[str, int], **facts: Any) -> list[Sealed]:
            region = store.origin(stream).partition(":")[0]
            return [misread(region, sealed) for sealed in await real(stream, have, **facts)]

        store.operations_after = after  # type: ignore[method-assign]

    def mutate(world: World) -> None:
        worlds.append(world)
        # The only sound copy must not burn with its machine: then it is lost indeed, and waits for an operator.
        world.repertoire = tuple(fault for fault in FAULTS if fault not in {restored, restored_late, replaced})
        stores(change)(world)

    return mutate


@pytest.mark.parametrize("seed", range(1, 21))
def test_what_is_read_wrong_while_it_is_sent_costs_no_promise(seed: int) -> None:
    worlds: list[World] = []
    report = run(seed, misreading(worlds))
    assert report.violations == ()
    said = [event for node in worlds[0].mesh.nodes.values() for _, event, _ in node.said]
    assert said.count("an operation is quarantined: only its key waits") >= AT_LEAST.get(seed, 1)
    assert not any("taken no more" in event for event in said), "no origin is given up"
