"""What was promised, and was it kept? Each goal is judged by the numbers of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.results import Results

US = "Tidegate"
FLAT = 1.15
FLAT_KEYS = (
    ("routes", ("routes.1", "routes.1000")),
    ("endpoints", ("endpoints.1", "endpoints.1000")),
    ("connections", ("connections.1", "connections.32", "connections.2000")),
)
IDLE_CONNECTIONS = 10_000
IDLE_MIB = 150
SET_UP_BY = {"handshake": "tls", "resumed": "tls", "latency": "request", "stream": "request", "connections": "request"}
"""Measured on proxies that another section has started, and whose absence it explains."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """A metric at most so many times a peer's."""

    metric: str
    peer: str
    limit: float
    what: str


AT_MOST = (
    AtMost("request.cpu_us", "Envoy", 0.75, "CPU a request"),
    AtMost("request.cpu_us", "nginx", 1.7, "CPU a request"),
    AtMost("policies.cpu_us", "Envoy", 0.75, "CPU a request with rate limit, sticky cookie, outlier detection"),
    AtMost("stream.cpu_us", "HAProxy", 1.0, "CPU a MiB streamed"),
    AtMost("tls.cpu_us", "nginx", 1.5, "CPU a request over kept TLS connections"),
    AtMost("handshake.cpu_us", "nginx", 3.0, "CPU a TLS connection with one request"),
    AtMost("latency.p99_us", "Envoy", 1.0, "p99 at a third of capacity"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    goal: str
    measured: str
    verdict: Literal["met", "not met", "not measured", "not built"]


def judge(results: Results) -> Sequence[Judged]:
    """Every goal, in order."""
    return [
        *(_at_most(results, goal) for goal in AT_MOST),
        _idle(results),
        *(_flat(results, name, keys) for name, keys in FLAT_KEYS),
        *(_flat_beside(results, name, keys) for name, keys in FLAT_KEYS),
    ]


def _at_most(results: Results, goal: AtMost) -> Judged:
    sentence = f"{goal.what}: at most {goal.limit:g} times {goal.peer}"
    ratio = results.ratio(goal.metric, US, goal.peer)
    if ratio is None:
        return _missing(results, sentence, goal.metric)
    verdict: Literal["met", "not met"] = "met" if ratio.median <= goal.limit else "not met"
    return Judged(sentence, f"{ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})", verdict)


def _idle(results: Results) -> Judged:
    sentence = f"{IDLE_CONNECTIONS:,} idle connections: at most {IDLE_MIB} MiB of worker memory"
    each, total = results.median("idle.bytes", US), results.median("idle.total", US)
    opened = results.median("idle.opened", US)
    if each is None or total is None or opened is None:
        return _missing(results, sentence, "idle.bytes")
    at_goal = total + each * (IDLE_CONNECTIONS - opened) / 1024
    how = "" if opened == IDLE_CONNECTIONS else f", projected from {opened:,.0f}"
    return Judged(sentence, f"{at_goal:.0f} MiB{how}", "met" if at_goal <= IDLE_MIB else "not met")


def _flat(results: Results, name: str, keys: Sequence[str]) -> Judged:
    counts = [key.partition(".")[2] for key in keys]
    sentence = f"CPU a request flat within {FLAT - 1:.0%} from {counts[0]} to {counts[-1]} {name}"
    ratios = [results.ratio(key, US, US, other_metric=keys[0]) for key in keys]
    if any(ratio is None for ratio in ratios):
        return _missing(results, sentence, keys[0])
    known = [ratio.median for ratio in ratios if ratio is not None]
    worst = max(known) / min(known)
    shown = ", ".join(f"{count}: {ratio:.2f}" for count, ratio in zip(counts, known, strict=True))
    return Judged(sentence, f"{shown}; {worst:.2f} apart", "met" if worst <= FLAT else "not met")


def _flat_beside(results: Results, name: str, keys: Sequence[str], peer: str = "nginx") -> Judged:
    """What the machine itself makes dearer, such as a wake-up for one request instead of for thirty, peers pay too."""
    counts = [key.partition(".")[2] for key in keys]
    sentence = f"the same beside {peer}: the ratio to it grows by at most {FLAT - 1:.0%} with {name}"
    ratios = [results.ratio(key, US, peer) for key in keys]
    if any(ratio is None for ratio in ratios):
        return _missing(results, sentence, keys[0])
    known = [ratio.median for ratio in ratios if ratio is not None]
    grown = max(known[1:]) / known[0]
    shown = ", ".join(f"{count}: {ratio:.2f}" for count, ratio in zip(counts, known, strict=True))
    return Judged(sentence, f"{shown}; {grown:.2f} times the first", "met" if grown <= FLAT else "not met")


def _missing(results: Results, sentence: str, metric: str) -> Judged:
    section = metric.partition(".")[0]
    why = results.absent.get((section, US)) or results.absent.get((SET_UP_BY.get(section, section), US), "")
    return Judged(sentence, why or "-", "not built" if why.startswith("not built") else "not measured")
