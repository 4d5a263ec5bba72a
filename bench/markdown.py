"""What the pages of several benches have in common: tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bench.goals import US
from bench.metrics import Metric
from bench.results import Results

NONE: Final = "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def ratios(results: Results, names: Sequence[str], metrics: Sequence[Metric]) -> Iterator[str]:
    """Ours to each of the others', a line a metric."""
    others = [name for name in names if name != US]
    rows = []
    for metric in metrics:
        found = [results.ratio(metric.key, US, name) for name in others]
        if metric.is_compared and any(found):
            cells = [f"{one.median:.2f} ({one.lowest:.2f} to {one.highest:.2f})" if one else NONE for one in found]
            rows.append((metric.label, *cells))
    return table(("", *(f"/ {name}" for name in others)), rows)


def absent(results: Results) -> Iterator[str]:
    """What has no figure, and why."""
    if not results.absent:
        yield "Everything is there."
    for (section, name), why in results.absent.items():
        yield f"- {name}, {section}: {why}"
