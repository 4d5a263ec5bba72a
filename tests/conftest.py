"""What holds for every test: random cases are repeatable in CI, and are not timed on a machine that others share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import settings

from tests.harness.loops import Loop

settings.register_profile("tidegate", deadline=None)
settings.register_profile("tidegate-ci", deadline=None, derandomize=True)
settings.load_profile("tidegate-ci" if os.environ.get("CI") else "tidegate")


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
    return {"asyncio": Loop}
