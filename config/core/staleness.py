"""For how long does a verdict hold that nobody confirms any more?

Long enough for a control process that died to come back, also on a machine that has much else to do: until then what it
last knew is better than nothing. Not for ever: an endpoint that has recovered meanwhile would wait for nobody.
"""

from __future__ import annotations

from typing import Final

INTERVALS: Final = 10
AT_LEAST_S: Final = 30.0


def stale_after_s(probe_interval_s: float) -> float:
    """Seconds after the last confirmation of an endpoint that is probed so often."""
    return max(AT_LEAST_S, INTERVALS * probe_interval_s)
