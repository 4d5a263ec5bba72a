"""Which world does a seed belong to, and what is the least that makes it fail?"""

from __future__ import annotations

import gc
from collections.abc import Collection
from functools import partial
from typing import Final

from tests.simulation import world
from tests.simulation.regions import world as regions
from tests.simulation.report import Report, shrunk

WHOLE: Final = 40
"""One seed in so many runs whole regions, which costs some six times as much; so 2,000 seeds take two processors about
five minutes."""


def run(seed: int, left_out: Collection[str] = ()) -> Report:
    """One run, without the faults of these numbers. Garbage is collected after it: in between that costs an eighth of
    all, and ends what was forgotten at moments that no seed decides."""
    gc.disable()
    try:
        return (regions.run if seed % WHOLE == 0 else world.run)(seed, left_out=left_out)
    finally:
        gc.enable()
        gc.collect()


def shrink(report: Report, most_runs: int | None = None) -> Report:
    """The same failure with the fewest faults that so many runs find."""
    return shrunk(partial(run, report.seed), report, most_runs=most_runs)
