"""Draws a picture of the demo, readable at 100 x 30: the play above, the regions side by side, who serves whom below.

    +-- act and its sentence ------------------------------------------------+
    |  eu-west              us-east              ap-south                     |
    |  node, backends, rate, latency and its trend, each                      |
    |  who serves whom                 what the nodes noticed                 |
    +-- the acts so far -----------------------------------------------------+

Colour never stands alone: health has a sign and a word, a region its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.align import Align
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidegate.demo.picture import BY_RULE, FAILED, News, Picture, RegionPicture, Scene

COLOURS: Final = {"eu-west": "#6cb6ff", "us-east": "#e0af68", "ap-south": "#bb9af7"}
TITLE: Final = "bold grey93"
QUIET: Final = "grey50"
LINE: Final = "grey27"
GOOD: Final = "#8ccf7e"
BAD: Final = "#f7768e"
SIGNS: Final = {"up": ("●", GOOD), "down": ("✕", BAD), "untested": ("○", QUIET)}
BARS: Final = " ▁▂▃▄▅▆▇█"
TREND_TOP_S: Final = 0.25
"""The height of the trend: a little above the longest round trip."""
SHARE_CELLS: Final = 48
EVENTS_SHOWN: Final = 7


def render(picture: Picture) -> RenderableType:
    """The whole screen."""
    screen = Layout()
    screen.split_column(
        Layout(_title(picture), size=1),
        Layout(_act(picture.scene), size=6),
        Layout(name="regions", size=10),
        Layout(name="below", size=9),
        Layout(_programme(picture.scene), size=4),
    )
    screen["regions"].split_row(*(Layout(_region(one)) for one in picture.regions))
    screen["below"].split_row(
        Layout(_panel("who serves whom, last 5 s", _matrix(picture.regions)), size=52),
        Layout(_panel("what the nodes noticed", _events(picture.news))),
    )
    return screen


def _panel(title: str, content: RenderableType, colour: str = QUIET) -> Panel:
    return Panel(
        content, title=Text(title, style=colour), title_align="left", border_style=LINE, box=box.ROUNDED, padding=(0, 1)
    )


def _title(picture: Picture) -> RenderableType:
    minutes, seconds = divmod(int(picture.elapsed_s), 60)
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column()
    line.add_column(justify="right")
    failed = Text(f"{picture.failed:,} failed", style=BAD if picture.failed else GOOD)
    line.add_row(
        Text.assemble((" Tidegate", "bold"), ("  three regions on one machine", QUIET)),
        Text.assemble(
            (f"{picture.total:,} requests  ", "bold"),
            (f"{picture.refused:,} refused by rule  ", QUIET),
            failed,
            (f"  {minutes}:{seconds:02d} ", QUIET),
        ),
    )
    return line


def _act(scene: Scene) -> RenderableType:
    if scene.is_over:
        return _panel("The play is over, traffic goes on", Text("\n".join(scene.hints)), colour=TITLE)
    title = f"Act {scene.number} of {len(scene.titles)}: {scene.titles[scene.number - 1]}"
    lines = [Text(scene.what, style="bold"), Text(f"… {scene.step}", style=QUIET) if scene.step else Text()]
    if scene.sentences:
        sign = Text("✓ ", style=GOOD) if scene.kept[-1] else Text("✕ ", style=BAD)
        last = Text(f"{scene.titles[len(scene.kept) - 1]}: {scene.sentences[-1]}.", style=QUIET)
        lines.append(Text.assemble(sign, last))
    return _panel(title, Group(*lines), colour=TITLE)


def _region(one: RegionPicture) -> RenderableType:
    colour = COLOURS[one.region]
    state = Text("● answers", style=GOOD) if one.is_reachable else Text("✕ no answer", style=BAD)
    above = _pairs((Text(one.node, style="bold"), state))
    for backend in one.backends:
        sign, shade = SIGNS.get(backend.health, ("?", QUIET))
        health = "" if backend.health == "up" else f" {backend.health}"
        rate = Text(f"{backend.rate:.1f}/s", style="" if backend.rate else QUIET)
        above.add_row(Text.assemble((f"{sign} ", shade), backend.name, (health, shade)), rate)
    below = _pairs(
        (Text("its clients", style=QUIET), Text(f"{one.rate:.1f}/s")),
        (Text("p50 / p95", style=QUIET), Text(f"{_ms(one.p50_s)} / {_ms(one.p95_s)}")),
    )
    return _panel(
        f"{one.region} · {one.name}", Group(above, "", below, *_trend(one.trend, colour)), colour=f"bold {colour}"
    )


def _pairs(*rows: tuple[Text, Text]) -> Table:
    """Rows with words on the left and a number on the right."""
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1, no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for left, right in rows:
        grid.add_row(left, right)
    return grid


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _trend(values: Sequence[float | None], colour: str) -> tuple[Text, Text]:
    """Bars of up to two rows' height."""
    upper, lower = Text(style=colour), Text(style=colour)
    for value in values:
        eighths = 0 if value is None else max(1, min(16, round(value / TREND_TOP_S * 16)))
        upper.append(BARS[max(0, eighths - 8)])
        lower.append(BARS[min(8, eighths)])
    return upper, lower


def _matrix(regions: Sequence[RegionPicture]) -> RenderableType:
    """One row for each region's clients, one column for where they end; the line below each shows it at a glance."""
    columns = (*COLOURS, BY_RULE, FAILED)
    head = Text("clients".ljust(8))
    for column in columns:
        head.append(column.rjust(len(column) + 1), style=_end_colour(column))
    rows = [head]
    for one in regions:
        row = Text.assemble((one.region.ljust(8), COLOURS[one.region]))
        for column in columns:
            share = one.shares.get(column, 0.0)
            row.append(
                (f"{share:.0%}" if share else "·").rjust(len(column) + 1),
                style=f"bold {_end_colour(column)}" if share else LINE,
            )
        bar = Text()
        for column, cells in zip(columns, _cells([one.shares.get(column, 0.0) for column in columns]), strict=True):
            bar.append("━" * cells, style=_end_colour(column))
        rows += [row, bar]
    return Group(*rows)


def _end_colour(end: str) -> str:
    return COLOURS.get(end, BAD if end == FAILED else QUIET)


def _cells(parts: Sequence[float]) -> Sequence[int]:
    """Deal the cells of a bar out by shares, none lost to rounding."""
    ends = [round(sum(parts[: index + 1]) * SHARE_CELLS) for index in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _events(events: Sequence[News]) -> RenderableType:
    if not events:
        return Align(Text("nothing yet: all is well", style=QUIET), vertical="top")
    rows = Table.grid(expand=True, padding=(0, 1, 0, 0))
    rows.add_column(justify="right", no_wrap=True, width=5)
    rows.add_column(no_wrap=True, width=8)
    rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for news in events[:EVENTS_SHOWN]:
        region = news.nodes[0].removeprefix("gw-")
        who = Text(region, style=COLOURS.get(region, QUIET)) if len(news.nodes) == 1 else f"{len(news.nodes)} nodes"
        text = Text(news.text, style=BAD if news.is_bad else GOOD, overflow="ellipsis", no_wrap=True)
        rows.add_row(Text(f"{news.age_s:.0f} s", style=QUIET), who, text)
    return rows


def _programme(scene: Scene) -> RenderableType:
    line = Text()
    for number, title in enumerate(scene.titles, start=1):
        if number <= len(scene.kept):
            sign, style = ("✓", GOOD) if scene.kept[number - 1] else ("✕", BAD)
        elif number == scene.number:
            sign, style = "▶", "bold"
        else:
            sign, style = "·", QUIET
        line.append(f"{sign} {title}", style=style)
        line.append("  ")
    return _panel("the play", line)
