"""These run on both kinds of loop: the control process may be given either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import uvloop

from tests.harness.loops import Loop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
    return {"asyncio": Loop, "uvloop": uvloop.new_event_loop}
