"""One file a hypothesis. `ALL` is what `python -m chaos` tries, in this order."""

from __future__ import annotations

from chaos.experiments import endpoint_cut, slow_region
from chaos.hypothesis import Hypothesis

ALL: tuple[Hypothesis, ...] = (endpoint_cut.HYPOTHESIS, slow_region.HYPOTHESIS)
