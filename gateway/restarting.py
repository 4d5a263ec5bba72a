"""Work that goes on for as long as its owner lives: a failure is told, and a second later it is started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

RESTART_DELAY_S: Final = 1.0
"""Between a failure and the next try: long enough that work that always fails costs nothing."""
_log = logging.getLogger(__name__)


async def restarted(
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    tell: Callable[[Exception], None],
    delay_s: float = RESTART_DELAY_S,
) -> None:
    """Until it ends by itself, or is cancelled; `tell` hears of each failure."""
    while True:
        try:
            await work()
        except Exception as failure:  # noqa: BLE001 - the border: whatever failed is told, then tried again
            tell(failure)
            await asyncio.sleep(delay_s)
        else:
            return


def lasting(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> Coroutine[Any, Any, None]:
    """The same, of a data plane, whose failures stand in its log."""
    return restarted(work, tell=lambda failure: _log.error("%s failed, starting it again", name, exc_info=failure))
