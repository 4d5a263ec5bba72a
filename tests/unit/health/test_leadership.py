"""A node alone leads, in an epoch above all earlier ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from health.core.rows import StaleEpoch
from health.leadership import Alone
from health.state.embedded import EmbeddedStore


async def test_each_run_of_a_lonely_node_leads_in_a_newer_epoch_and_the_run_before_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    first = EmbeddedStore(path, owner="a/1", clock=lambda: 0.0)
    earlier = Alone("a", fence=first.fence)
    await first.put("decision", "1", {}, expected=0, epoch=earlier.epoch)
    second = EmbeddedStore(path, owner="a/2", clock=lambda: 0.0)
    later = Alone("a", fence=second.fence)
    assert (later.leader, later.no_promotion) == ("a", None)
    await second.put("decision", "2", {}, expected=0, epoch=later.epoch)
    with pytest.raises(StaleEpoch):
        await first.put("decision", "3", {}, expected=0, epoch=earlier.epoch)
    await first.close()
    await second.close()
