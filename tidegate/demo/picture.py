"""What is there to see right now? One frozen value, gathered from the record, that a view can be drawn from.

Pure but for reading what others hold: no terminal, no clock of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tidegate.demo.distance import PLACES, Place
from tidegate.demo.setting import BackendPlan, Plan
from tidegate.demo.traffic import Answer
from tidegate.demo.watch import Event, NodeView

SPAN_S = 5.0
"""Rates, percentiles and shares are of the last so many seconds."""
TREND_COLUMNS = 24
TREND_STEP_S = 1.0
SAME_MOMENT_S = 3.0
FAILED = "failed"
BY_RULE = "by rule"


@dataclass(frozen=True, slots=True)
class BackendPicture:
    name: str
    health: str
    """What this region's own node says of it."""
    rate: float
    """Requests a second that it answered."""


@dataclass(frozen=True, slots=True)
class RegionPicture:
    region: str
    name: str
    node: str
    is_reachable: bool
    version: int | None
    backends: tuple[BackendPicture, ...]
    rate: float
    """Requests a second of this region's clients."""
    p50_s: float | None
    p95_s: float | None
    trend: tuple[float | None, ...]
    """Median latency of each of the last seconds, oldest first; None where nothing was answered."""
    shares: Mapping[str, float]
    """Who serves this region's clients: by region, `FAILED` or `BY_RULE`, as shares of 1."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the play stands."""

    number: int
    titles: tuple[str, ...]
    what: str
    step: str
    """What the act waits for just now."""
    kept: tuple[bool, ...]
    """Of each act that has ended, whether all its promises were kept."""
    sentences: tuple[str, ...]
    """What came of each act that has ended."""
    hints: tuple[str, ...] = ()
    """What a person may do once the play is over."""

    @property
    def is_over(self) -> bool:
        return len(self.kept) == len(self.titles)


@dataclass(frozen=True, slots=True)
class News:
    """What one node noticed, or several at about the same time."""

    age_s: float
    nodes: tuple[str, ...]
    text: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Picture:
    elapsed_s: float
    scene: Scene
    regions: tuple[RegionPicture, ...]
    news: tuple[News, ...]
    """Newest first."""
    total: int
    refused: int
    failed: int


def picture(
    *,
    now: float,
    began: float,
    scene: Scene,
    planned: Plan,
    views: Mapping[str, NodeView],
    answers: Sequence[Answer],
    events: Sequence[Event],
    total: int,
    refused: int,
    failed: int,
) -> Picture:
    """Gather it. `answers`: at least those of the last `TREND_COLUMNS` seconds."""
    return Picture(
        elapsed_s=now - began,
        scene=scene,
        regions=tuple(
            _region(place, planned.backends_in(place.region), views[place.region], answers, now=now) for place in PLACES
        ),
        news=told(events, now=now),
        total=total,
        refused=refused,
        failed=failed,
    )


def _region(
    place: Place, backends: Sequence[BackendPlan], view: NodeView, answers: Sequence[Answer], *, now: float
) -> RegionPicture:
    recent = [answer for answer in answers if answer.ended > now - SPAN_S]
    own = [answer for answer in recent if answer.region == place.region]
    served = [answer.took_s for answer in own if answer.is_served]
    answered = Counter(answer.backend for answer in recent)
    return RegionPicture(
        region=place.region,
        name=place.name,
        node=view.id,
        is_reachable=view.is_reachable,
        version=view.version,
        backends=tuple(
            BackendPicture(one.name, view.health(one.endpoint), answered[one.name] / SPAN_S) for one in backends
        ),
        rate=len(own) / SPAN_S,
        p50_s=percentile(served, 0.50),
        p95_s=percentile(served, 0.95),
        trend=_trend([answer for answer in answers if answer.region == place.region and answer.is_served], now),
        shares=shares(own),
    )


def told(events: Sequence[Event], *, now: float) -> tuple[News, ...]:
    """Events, newest first; the same words from several nodes within a moment are one piece of news."""
    news: list[News] = []
    for event in reversed(events):
        age_s = now - event.at
        for index, one in enumerate(news):
            if one.text == event.text and age_s - one.age_s < SAME_MOMENT_S and event.node not in one.nodes:
                news[index] = replace(one, nodes=(event.node, *one.nodes))
                break
        else:
            news.append(News(age_s, (event.node,), event.text, event.is_bad))
    return tuple(news)


def shares(answers: Sequence[Answer]) -> Mapping[str, float]:
    """Which share of these requests was served from where, answered by a residency rule, or failed."""

    def end(answer: Answer) -> str:
        if answer.is_refused_by_residency or answer.is_refused_closed:
            return BY_RULE
        return FAILED if answer.is_failed else str(answer.served_from)

    ends = Counter(end(answer) for answer in answers)
    return {end: count / len(answers) for end, count in ends.items()}


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of them does not exceed (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _trend(answers: Sequence[Answer], now: float) -> tuple[float | None, ...]:
    seconds: list[list[float]] = [[] for _ in range(TREND_COLUMNS)]
    end = math.floor(now / TREND_STEP_S)  # whole seconds, so that columns move on instead of trembling
    for answer in answers:
        age = end - math.floor(answer.ended / TREND_STEP_S)
        if 0 < age <= TREND_COLUMNS:
            seconds[-age].append(answer.took_s)
    return tuple(percentile(one, 0.5) for one in seconds)
