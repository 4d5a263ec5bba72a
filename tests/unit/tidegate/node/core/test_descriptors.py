"""How many files a process may need."""

from __future__ import annotations

from tests.harness.configuration import load
from tidegate.node.core.descriptors import OWN, descriptors_needed, limits_are_written


def test_clients_and_upstreams_are_shared_by_the_workers() -> None:
    config = load(edit=lambda document: document["listeners"][0].update(limits={"max_connections": 1000})).config
    assert descriptors_needed(config, workers=1) == 1000 + 1024 + OWN
    assert descriptors_needed(config, workers=2) == 500 + 512 + OWN
    assert descriptors_needed(config, workers=0) == 1000 + 1024 + OWN


def test_a_limit_that_nobody_wrote_is_told_from_one_that_somebody_did() -> None:
    assert not limits_are_written(load().config)
    assert limits_are_written(
        load(edit=lambda document: document["listeners"][0].update(limits={"max_connections": 20000})).config
    )
