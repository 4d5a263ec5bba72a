"""The page: goals first, then a table for each part, what Tidegate is to each product, and how it was all measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench.goals import US
from bench.markdown import NONE, absent, ratios, table
from bench.metrics import Metric
from bench.results import Results
from bench.sync.judging import judge, number

INTRODUCTION: Final = """\
Every product runs as two regions, A and B, on one machine, over loopback, and does the same work: documents of 1 KB of
JSON, no two alike, are written in A, and are read in B. Products are all running; they take turns within each round.
Every measurement proves itself: whatever was acknowledged in A is read back in B, value by value, or the product has no
figure there. Networks cost nothing here, and A, B and the clients share the cores: compare within a line only.
"""
METHOD: Final = (
    "**batches**: 4 connections write batches of 500; *end to end* ends when the last of them can be read in B, "
    "*acknowledged* when A has answered. CPU is the kernel's account of all processes of a region, by document.",
    "**singles**: 64 clients, one document a request, the next when it is acknowledged; B replicates meanwhile, its "
    "CPU counts until all can be read there. A second client process is started when one uses more than 85 % of a core "
    "in a trial of a second.",
    "**lag**: 1,000 documents a second, handed over at even intervals whether or not the product keeps up (16 "
    "connections); until an observer in a process of its own has it from B, counted from the hand-over and from the "
    "acknowledgement.",
    "**catch-up**: every process of B is stopped (`SIGSTOP`), half of the documents of *batches* are written in A by "
    "batches, B goes on (`SIGCONT`); from then until the last can be read in B. The little that B's sockets had taken "
    "meanwhile counts.",
    "**wire**: the payload of TCP between A and B, both ways, by document, while batches are written; counted by a "
    "relay (`bench/sync/relay.py`) between two other regions, which stands nowhere else.",
    "**memory**: PSS of all processes of a region, after everything else.",
)
METRICS: Final = (
    Metric("batches.end_to_end", "batches: end to end", "documents/s", is_rate=True),
    Metric("batches.acknowledged", "batches: acknowledged", "documents/s", is_rate=True),
    Metric("batches.cpu_sides", "batches: CPU a document, A and B", "µs"),
    Metric("batches.cpu_a", "batches: CPU a document, A", "µs"),
    Metric("batches.cpu_b", "batches: CPU a document, B", "µs"),
    Metric("batches.cpu_client", "batches: CPU a document, client", "µs", is_compared=False),
    Metric("singles.rate", "singles: acknowledged", "documents/s", is_rate=True),
    Metric("singles.cpu_sides", "singles: CPU a document, A and B", "µs"),
    Metric("singles.cpu_a", "singles: CPU a document, A", "µs"),
    Metric("singles.cpu_b", "singles: CPU a document, B", "µs"),
    Metric("singles.cpu_client", "singles: CPU a document, client", "µs", is_compared=False),
    Metric("singles.processes", "singles: client processes", "", is_compared=False),
    Metric("singles.client_busy", "singles: busiest client process", "% of a core", is_compared=False),
    Metric("lag.sent_p50", "lag from sending, p50", "ms"),
    Metric("lag.sent_p99", "lag from sending, p99", "ms"),
    Metric("lag.acknowledged_p50", "lag from the acknowledgement, p50", "ms"),
    Metric("lag.acknowledged_p99", "lag from the acknowledgement, p99", "ms"),
    Metric("lag.rate", "lag: rate that was kept", "documents/s", is_compared=False),
    Metric("lag.cpu_sides", "lag: CPU a document, A and B, observer served", "µs", is_compared=False),
    Metric("catch_up.rate", "catch-up", "documents/s", is_rate=True),
    Metric("catch_up.cpu_sides", "catch-up: CPU a document, A and B", "µs"),
    Metric("wire.bytes", "wire: bytes a document", "bytes"),
    Metric("memory.a", "memory of A", "MiB"),
    Metric("memory.b", "memory of B", "MiB"),
)


def page(
    results: Results,
    *,
    products: Sequence[str],
    facts: Mapping[str, str],
    versions: Mapping[str, str],
    settings: Mapping[str, str],
    observed: Mapping[str, str],
    command: str,
    effort: str,
) -> str:
    lines = [
        "# Replication beside other products",
        "",
        f"Written by `{command}`. {effort}",
        "",
        *INTRODUCTION.splitlines(),
        "",
        "## Goals",
        "",
        *table(("goal", "measured", ""), [(one.goal, one.measured, f"**{one.verdict}**") for one in judge(results)]),
        "",
        "## Numbers",
        "",
        "The median of the rounds, and the lowest and highest.",
        "",
        *_numbers(results, products),
        "",
        f"## {US} to each, as a ratio",
        "",
        "The median of the ratios within each round, and the lowest and highest. Above 1 is more than the other:",
        "better for documents/s, worse for everything else.",
        "",
        *ratios(results, products, METRICS),
        "",
        "## What is not there, and why",
        "",
        *absent(results),
        "",
        "## How",
        "",
        *table(("", ""), [*facts.items(), *((f"version of {name}", version) for name, version in versions.items())]),
        "",
        *(f"- {one}" for one in METHOD),
        "",
        *table(
            ("product", "settings", "visible in B is told by"),
            [(name, settings[name], observed[name]) for name in products],
        ),
    ]
    return "\n".join(lines) + "\n"


def _numbers(results: Results, products: Sequence[str]) -> Iterator[str]:
    rows = []
    for metric in METRICS:
        cells = [_cell(results, metric, name) for name in products]
        if any(cell != NONE for cell in cells):
            rows.append((f"{metric.label}, {metric.unit}".rstrip(", "), *cells))
    return table(("", *products), rows)


def _cell(results: Results, metric: Metric, name: str) -> str:
    values, median = results.values(metric.key, name).values(), results.median(metric.key, name)
    if median is None:
        return NONE
    return f"**{number(median)}** ({number(min(values))} to {number(max(values))})"
