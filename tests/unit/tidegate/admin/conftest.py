"""A control with two workers, over a directory of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.control import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    made.document["node"]["workers"] = 2
    made.write()
    yield made
    await made.tasks.close()
