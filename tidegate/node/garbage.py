"""How often does a process that is fast look for cycles of objects that nobody needs?

What was loaded lives as long as the process, so it is not looked at again; what comes after is in few cycles.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (20_000, 20, 50)
"""Of the three generations: young collections are rare enough not to show in latency or in a batch's cost."""


def settle() -> None:
    """Once the process is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
