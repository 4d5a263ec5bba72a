"""One run as a picture: what was asked and answered each second in each region, when the fault was, who decided what.

SVG, written by hand: a few hundred rectangles need no library, and a reader can open it anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from chaos.results import Result, Second

LEFT, TOP, WIDTH, LANE, GAP = 110, 58, 760, 44, 14
GOOD, BAD, WRITTEN, UNWRITTEN, SHADE, INK = "#4c9f70", "#d1495b", "#3d6b9c", "#e08e45", "#f4dede", "#333333"
DECISIONS_SHOWN = 16
LINE = 13


def svg(result: Result) -> str:
    """The whole picture."""
    length = max((len(seconds) for seconds in result.seconds.values()), default=0) or 1
    lanes = [(region, kind) for region in result.seconds for kind in ("requests", "writes")]
    decisions = [note for note in result.notes if note[1] == "decision"][:DECISIONS_SHOWN]
    chart = len(lanes) * (LANE + GAP)
    height = TOP + chart + 30 + LINE * len(decisions) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        f'font-family="sans-serif" font-size="11" fill="{INK}">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="18" font-size="14">{escape(result.experiment)}, run {result.number}, '
        f"seed {result.seed}: {'every promise kept' if result.is_kept else 'a promise broken'}</text>",
        *_legend(),
        *_fault(result, length, chart),
    ]
    for place, (region, kind) in enumerate(lanes):
        parts += _lane(result.seconds[region], region, kind, y=TOP + place * (LANE + GAP), length=length)
    parts += _axis(length, TOP + chart)
    parts += _decisions(decisions, length, chart)
    parts.append("</svg>\n")
    return "\n".join(parts)


def _legend() -> Iterator[str]:
    words = ((GOOD, "answered"), (BAD, "failed"), (WRITTEN, "write acknowledged"), (UNWRITTEN, "try in vain"))
    for number, (colour, word) in enumerate(words):
        x = LEFT + number * 150
        yield f'<rect x="{x}" y="32" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{x + 14}" y="41">{word}</text>'


def _fault(result: Result, length: int, chart: int) -> Iterator[str]:
    began = next((at for at, kind, _ in result.notes if kind == "fault"), None)
    ended = next((at for at, kind, _ in result.notes if kind == "healed"), float(length))
    if began is None:
        return
    x, width = _x(began, length), _x(ended, length) - _x(began, length)
    what = next(text for _, kind, text in result.notes if kind == "fault")
    yield f'<rect x="{x:.1f}" y="{TOP - 6}" width="{width:.1f}" height="{chart}" fill="{SHADE}">'
    yield f"<title>{escape(what)}</title></rect>"


def _lane(seconds: Sequence[Second], region: str, kind: str, *, y: int, length: int) -> Iterator[str]:
    good, bad = (0, 1) if kind == "requests" else (2, 3)
    colours = (GOOD, BAD) if kind == "requests" else (WRITTEN, UNWRITTEN)
    most = max((second[good] + second[bad] for second in seconds), default=0) or 1
    yield f'<text x="10" y="{y + 16}">{escape(region)}</text><text x="10" y="{y + 30}" fill="#777">{kind}</text>'
    width = WIDTH / length
    for number, second in enumerate(seconds):
        below = 0.0
        for count, colour in ((second[good], colours[0]), (second[bad], colours[1])):
            if count:
                tall = LANE * count / most
                yield (
                    f'<rect x="{LEFT + number * width:.1f}" y="{y + LANE - below - tall:.1f}" '
                    f'width="{max(1.0, width - 1):.1f}" height="{tall:.1f}" fill="{colour}"/>'
                )
                below += tall


def _axis(length: int, y: int) -> Iterator[str]:
    step = max(1, round(length / 12))
    for second in range(0, length + 1, step):
        yield f'<text x="{_x(second, length):.1f}" y="{y + 10}" text-anchor="middle">{second} s</text>'


def _decisions(decisions: Sequence[tuple[float, str, str]], length: int, chart: int) -> Iterator[str]:
    for number, (at, _, text) in enumerate(decisions):
        x = _x(at, length)
        yield f'<path d="M{x:.1f} {TOP - 6}v{chart}" stroke="{INK}" stroke-width="0.6" stroke-dasharray="2 3"/>'
        yield f'<text x="{LEFT}" y="{TOP + chart + 28 + LINE * number}">{at:.1f} s  {escape(text)}</text>'


def _x(at: float, length: int) -> float:
    return LEFT + WIDTH * min(max(at, 0.0), length) / length
