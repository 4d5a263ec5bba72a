"""Readers get lines as things happen; spectators get the picture, and the lines when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import io
from pathlib import Path

from rich.console import Console

from tidegate.demo.audience import Audience, Reader, Spectator
from tidegate.demo.picture import Picture, Scene, picture
from tidegate.demo.play import ACTS
from tidegate.demo.promises import Promise
from tidegate.demo.report import Played
from tidegate.demo.setting import PORTS_NEEDED, plan
from tidegate.demo.watch import NodeView

PLAYED = Played("Calm", "60 requests: 60 answered, none failed", (Promise("p", is_kept=True, found="60"),), 3.0)
PLAN = plan(range(20_000, 20_000 + PORTS_NEEDED), directory=Path("/somewhere"))


def look() -> Picture:
    return picture(
        now=10.0,
        began=0.0,
        scene=Scene(1, ("Calm",), "All is well.", "", (), ()),
        planned=PLAN,
        views={node.region: NodeView(node.id) for node in PLAN.nodes},
        answers=(),
        events=(),
        total=0,
        refused=0,
        failed=0,
    )


def console() -> Console:
    return Console(file=io.StringIO(), width=100, height=30, force_terminal=False)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def follow_a_little(audience: Audience, during: str) -> None:
    task = asyncio.get_running_loop().create_task(audience.follow(look))
    await asyncio.sleep(0)  # let it begin
    audience.tell(during)
    audience.end(PLAYED)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_reader_gets_every_line_when_it_happens() -> None:
    out = console()
    reader = Reader(out)
    reader.tell("eu-west-1 is ready [really]")
    reader.begin(ACTS[0], number=1, of=6)
    await reader.digest()
    await follow_a_little(reader, "something")
    assert written(out).splitlines() == [
        "eu-west-1 is ready [really]",
        "Act 1 of 6: Calm. Everything is well. Each client asks the node of its own region.",
        "something",
        "  kept    p (60)",
        "  60 requests: 60 answered, none failed.",
    ]


async def test_a_long_line_is_not_broken() -> None:
    out = console()
    Reader(out).tell("x" * 300)
    assert written(out) == "x" * 300 + "\n"


async def test_a_spectator_gets_the_lines_of_the_acts_after_the_picture() -> None:
    out = console()
    spectator = Spectator(out, reading_time_s=0.0)
    spectator.tell("gw-eu-west is ready")
    spectator.begin(ACTS[0], number=1, of=6)
    await spectator.digest()
    await follow_a_little(spectator, "the picture shows this")
    text = written(out)
    assert text.startswith("gw-eu-west is ready\n")
    assert "the picture shows this" not in text
    assert text.endswith("Calm\n  kept    p (60)\n  60 requests: 60 answered, none failed.\n")


async def test_after_the_picture_a_spectator_gets_lines_at_once() -> None:
    out = console()
    spectator = Spectator(out)
    spectator.end(PLAYED)
    assert written(out).startswith("Calm\n  kept    p (60)\n")
