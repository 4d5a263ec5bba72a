"""What was promised of replication, and was it kept? Judged by the medians of one run."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.goals import US
from bench.results import Results


@dataclass(frozen=True, slots=True)
class Goal:
    sentence: str
    metric: str
    unit: str
    limit: float
    holds: Callable[[float, float], bool]


GOALS: Final = (
    Goal("batches, end to end: at least 20,000 documents/s", "batches.end_to_end", "documents/s", 20_000, operator.ge),
    Goal("single durable writes: at least 5,000/s acknowledged", "singles.rate", "/s", 5_000, operator.ge),
    Goal(
        "lag at 1,000 writes/s, from the acknowledgement: p50 below 5 ms", "lag.acknowledged_p50", "ms", 5, operator.lt
    ),
    Goal(
        "lag at 1,000 writes/s, from the acknowledgement: p99 below 25 ms",
        "lag.acknowledged_p99",
        "ms",
        25,
        operator.lt,
    ),
    Goal("lag at 1,000 writes/s, from sending: p50 below 5 ms", "lag.sent_p50", "ms", 5, operator.lt),
    Goal("lag at 1,000 writes/s, from sending: p99 below 25 ms", "lag.sent_p99", "ms", 25, operator.lt),
)
CATCH_UP: Final = "catch-up: at least as fast as batches"


@dataclass(frozen=True, slots=True)
class Judged:
    goal: str
    measured: str
    verdict: Literal["met", "not met", "not measured"]


def percentile(ordered: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` of all do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def judge(results: Results) -> list[Judged]:
    return [*(_judged(results, goal) for goal in GOALS), _catching_up(results)]


def _judged(results: Results, goal: Goal) -> Judged:
    values = results.values(goal.metric, US).values()
    median = results.median(goal.metric, US)
    if median is None:
        return _missing(results, goal.sentence, goal.metric)
    shown = f"{number(median)} {goal.unit} ({number(min(values))} to {number(max(values))})"
    return Judged(goal.sentence, shown, "met" if goal.holds(median, goal.limit) else "not met")


def _catching_up(results: Results) -> Judged:
    ratio = results.ratio("catch_up.rate", US, US, other_metric="batches.end_to_end")
    if ratio is None:
        return _missing(results, CATCH_UP, "catch_up.rate")
    shown = f"{ratio.median:.2f} times ({ratio.lowest:.2f} to {ratio.highest:.2f})"
    return Judged(CATCH_UP, shown, "met" if ratio.median >= 1 else "not met")


def _missing(results: Results, sentence: str, metric: str) -> Judged:
    return Judged(sentence, results.absent.get((metric.partition(".")[0], US), "-"), "not measured")


def number(value: float) -> str:
    """With as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
