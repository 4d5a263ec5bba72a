"""The state of a mesh over acceptors in real files. Over servers and peers: tests/integration/health/state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from health.quorum import quorum as quorums
from tests.harness.agreed import CONTRACT, Member, met
from tests.harness.quorums import Files


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Member, Member]]:
    monkeypatch.setattr(quorums, "PATIENCE_S", 0.5)
    files = Files(tmp_path)
    one, other = Member("n", files.stored, folder=tmp_path), Member("m", files.stored, folder=tmp_path)
    await met(one, other)
    yield one, other
    await one.store.close()
    await other.store.close()
    await files.close()


@pytest.mark.parametrize("name", CONTRACT)
async def test_the_contract_is_kept_over_files(two: tuple[Member, Member], name: str) -> None:
    await CONTRACT[name](*two)
