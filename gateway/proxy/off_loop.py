"""Who compresses and replaces in large bodies while the loop serves others? A few threads, started when first needed.

The libraries release the interpreter's lock while they compress. What is handed over is bounded by the exchanges: each
has one piece under way and is not read from meanwhile (gateway/proxy/shaped.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

OFF_LOOP_BYTES: Final = 16 * 1024
"""Smaller pieces are done at once: gzip takes half a millisecond for so many, a thread a fifth of one to be asked."""
THREADS: Final = 2

_log = logging.getLogger("gateway.proxy.off_loop")


class OffLoop:
    """One data plane's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads: ThreadPoolExecutor | None = None

    def run(self, work: Callable[[], bytes], then: Callable[[bytes | None], None]) -> None:
        """`then` is called on the loop with what `work` returned; with None where it failed, which is logged."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="bodies")

        def done(future: asyncio.Future[bytes]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                _log.error("work on a body failed", exc_info=error)
            then(future.result() if error is None else None)

        self._loop.run_in_executor(self._threads, work).add_done_callback(done)

    def close(self) -> None:
        """What is under way ends; what waits is dropped."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
