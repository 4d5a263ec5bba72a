"""What did one run find, and which of its faults does it take? The same for both kinds of worlds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What one run found."""

    seed: int
    violations: tuple[str, ...]
    asked: int
    acknowledged: int
    reads: int
    faults: tuple[str, ...]
    """Each begins with its number."""
    simulated_s: float
    schedule: str
    """Digest of everything that happened: equal for equal runs."""
    requests: int = 0
    """That went through gateways."""


def shrunk(again: Callable[[Collection[str]], Report], report: Report, *, most_runs: int | None = None) -> Report:
    """The same failure with as few faults as it takes: each is left out that can be, until none can.

    `again` runs the seed without the faults of these numbers; after `most_runs` of it, what was found so far will do.
    """
    left_out: set[str] = set()
    is_smaller, runs = True, 0
    while is_smaller:
        is_smaller = False
        for fault in report.faults:
            number = fault.partition(" ")[0]
            if runs == most_runs:
                return report
            runs += 1
            fewer = again({*left_out, number})
            if fewer.violations:
                left_out.add(number)
                report, is_smaller = fewer, True
    return report
