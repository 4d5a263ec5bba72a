"""From samples to what may be said: medians, and ratios that compare only what ran side by side.

The machine is shared and noisy, so a ratio is taken within each round, where the contestants took turns, and the median
of those ratios is what counts. Absolute numbers say what this machine did on that day.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    metric: str
    contestant: str
    round: int
    value: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of one contestant to another."""

    median: float
    lowest: float
    highest: float


@dataclass
class Results:
    """All that was measured, and why something was not."""

    samples: list[Sample] = field(default_factory=list)
    absent: dict[tuple[str, str], str] = field(default_factory=dict)
    """(section, contestant) -> the sentence that says why it is not there."""

    def add(self, metric: str, contestant: str, round_: int, value: float) -> None:
        self.samples.append(Sample(metric, contestant, round_, value))

    def refuse(self, section: str, contestant: str, why: str) -> None:
        """It is not in the table, and this is the reason: what it showed before it failed is in doubt too."""
        self.absent[section, contestant] = why
        self.samples = [
            sample
            for sample in self.samples
            if sample.contestant != contestant or sample.metric.partition(".")[0] != section
        ]

    def values(self, metric: str, contestant: str) -> Mapping[int, float]:
        """By round."""
        return {
            sample.round: sample.value
            for sample in self.samples
            if sample.metric == metric and sample.contestant == contestant
        }

    def median(self, metric: str, contestant: str) -> float | None:
        """None: not measured."""
        values = self.values(metric, contestant)
        return statistics.median(values.values()) if values else None

    def ratio(self, metric: str, one: str, other: str, *, other_metric: str | None = None) -> Ratio | None:
        """How many times `other` is `one`, round by round; None unless both were measured in one round."""
        ones, others = self.values(metric, one), self.values(other_metric or metric, other)
        ratios = [ones[round_] / others[round_] for round_ in ones if others.get(round_)]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def contestants(self, metric: str) -> Sequence[str]:
        """In the order in which they were measured first."""
        return list(dict.fromkeys(sample.contestant for sample in self.samples if sample.metric == metric))
