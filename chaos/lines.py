"""What came of the experiments: one line a promise, and the exit code that a machine reads.

endpoint_cut   given a node with two endpoints ...; when the link is cut ...; then no idempotent request fails ...
  kept    cut: no idempotent request fails (412 requests)
  BROKEN  black hole: no idempotent request fails (3 of 380 requests: ...)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.hypothesis import Hypothesis
from tidegate.demo.promises import Promise


def headline(hypothesis: Hypothesis) -> str:
    return f"{hypothesis.name}: given {hypothesis.given}; when {hypothesis.when}; then {hypothesis.then}"


def of(promises: Sequence[Promise]) -> Iterator[str]:
    for promise in promises:
        yield f"  {'kept  ' if promise.is_kept else 'BROKEN'}  {promise.text} ({promise.found})"


def closing_line(promises: Sequence[Promise], *, took_s: float) -> str:
    broken = sum(not promise.is_kept for promise in promises)
    kept = len(promises) - broken
    return f"{kept} promises kept, {broken} broken, in {took_s:.0f} s"


def exit_code(promises: Sequence[Promise]) -> int:
    """0 when every promise was kept, and there was one."""
    return 0 if promises and all(promise.is_kept for promise in promises) else 1
