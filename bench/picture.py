"""The most important numbers as bars, in SVG: no library is worth four rectangles a line.

One panel a metric, one bar a contestant, ours in colour; the scale of a panel starts at zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bench.goals import US
from bench.metrics import METRICS, Metric
from bench.results import Results
from bench.table import shown

COLUMNS = 2
PANEL_WIDTH = 460
NAME_WIDTH = 90
VALUE_WIDTH = 80
BAR = 16
GAP = 6
TITLE = 40
OURS, THEIRS = "#0b7285", "#adb5bd"


def svg(results: Results, contestants: Sequence[str]) -> str:
    """Empty panels are left out."""
    panels = [
        (metric, bars) for metric in METRICS if metric.is_pictured and (bars := _values(results, metric, contestants))
    ]
    height = TITLE + max((len(bars) for _, bars in panels), default=0) * (BAR + GAP) + GAP
    rows = -(-len(panels) // COLUMNS)
    size = f'width="{COLUMNS * PANEL_WIDTH}" height="{max(1, rows) * height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (metric, bars) in enumerate(panels):
        lines += _panel(metric, bars, x=number % COLUMNS * PANEL_WIDTH, y=number // COLUMNS * height)
    return "\n".join([*lines, "</svg>", ""])


def _values(results: Results, metric: Metric, contestants: Sequence[str]) -> list[tuple[str, float]]:
    found = ((name, results.median(metric.key, name)) for name in contestants)
    return [(name, value) for name, value in found if value is not None]


def _panel(metric: Metric, bars: Sequence[tuple[str, float]], *, x: int, y: int) -> Iterator[str]:
    better = "more is better" if metric.is_rate else "less is better"
    yield f'<text x="{x + 10}" y="{y + 20}" font-weight="bold">{escape(metric.label)}, {escape(metric.unit)}</text>'
    yield f'<text x="{x + 10}" y="{y + 34}" fill="#868e96" font-size="10">{better}</text>'
    most = max(value for _, value in bars) or 1.0
    room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
    for number, (name, value) in enumerate(bars):
        top = y + TITLE + number * (BAR + GAP)
        colour = OURS if name == US else THEIRS
        width = max(1.0, room * value / most)
        yield f'<text x="{x + NAME_WIDTH - 6}" y="{top + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{x + NAME_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text x="{x + NAME_WIDTH + width + 6:.1f}" y="{top + 12}">{shown(value, metric)}</text>'
