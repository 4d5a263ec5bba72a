"""The results as a page of Markdown: goals first, then every number, ratios, and what it was measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.goals import US, judge
from bench.markdown import NONE, absent, ratios, table
from bench.metrics import METRICS, Metric
from bench.results import Results

INTRODUCTION = """\
Every proxy does the same work: it forwards to the same backend with kept connections on both sides, adds
`X-Forwarded-For`, counts, and has one worker or thread. Tidegate does so with all its defaults on: routing, health
gate, retries, request id, `Via`, forwarding headers, time-outs; `Tidegate` is compiled as `make fast` does,
`Tidegate from source` is not. CPU is the kernel's account of all processes that
carry traffic. `floor` is a bare uvloop + httptools proxy without any of it: what Python costs before a product.
"""
METHOD = """\
A fixed rate is held by `bench/paced.py`: requests are due at even intervals whether or not answers have come, and one
that finds every connection busy is charged for its wait. Every load proved that it was what it claims: each answer was
a 200, which the backend gives only to a request with `X-Forwarded-For`; the backend saw every request, over connections
that were kept; the proxy's own counters moved by as many.
"""


def page(
    results: Results,
    *,
    contestants: Sequence[str],
    facts: Mapping[str, str],
    versions: Mapping[str, str],
    commands: Mapping[str, str],
    effort: str,
    picture: str,
) -> str:
    """The whole page."""
    lines = [
        "# Tidegate beside other proxies",
        "",
        f"Written by `make bench`. {effort}",
        "",
        *INTRODUCTION.splitlines(),
        "",
        "## Goals",
        "",
        *table(("goal", "measured", ""), [(one.goal, one.measured, f"**{one.verdict}**") for one in judge(results)]),
        "",
        "## Numbers",
        "",
        "Medians of the rounds. They say what this machine did at that time; compare within a line only.",
        "",
        *_numbers(results, contestants),
        "",
        f"![the most important of them]({picture})",
        "",
        f"## {US} to each, as a ratio",
        "",
        "The median of the ratios within each round, and the lowest and highest. Below 1 is less than the other.",
        "",
        *ratios(results, contestants, METRICS),
        "",
        "## What is not there, and why",
        "",
        *absent(results),
        "",
        "## How",
        "",
        *table(("", ""), [*facts.items(), *((f"version of {name}", version) for name, version in versions.items())]),
        "",
        *(f"- {what}: `{command}`" for what, command in commands.items()),
        "",
        *METHOD.splitlines(),
    ]
    return "\n".join(lines) + "\n"


def shown(value: float | None, metric: Metric) -> str:
    return NONE if value is None else f"{value:,.{metric.digits}f}"


def _numbers(results: Results, contestants: Sequence[str]) -> Iterator[str]:
    rows = []
    for metric in METRICS:
        values = [results.median(metric.key, name) for name in contestants]
        if any(value is not None for value in values):
            rows.append((f"{metric.label}, {metric.unit}".rstrip(", "), *(shown(value, metric) for value in values)))
    return table(("", *contestants), rows)
