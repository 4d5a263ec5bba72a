"""The screen holds at 100 x 30 what a person wants to see, and nothing of it is cut off."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tidegate.demo.picture import BY_RULE, FAILED, BackendPicture, News, Picture, RegionPicture, Scene
from tidegate.demo.view import render

SCENE = Scene(
    number=3,
    titles=("Calm", "A backend dies", "A region dies", "It comes back", "Residency holds", "Processes die"),
    what="kill -9 of both backends in us-east.",
    step="every node says that us-east-1 is down",
    kept=(True, False),
    sentences=("132 requests: 120 answered, none failed", "248 requests: 246 answered, 2 failed (2 connection_lost)"),
    hints=("curl -i http://127.0.0.1:20007/feed/1",),
)


def region(name: str, title: str, shares: dict[str, float], health: str = "up") -> RegionPicture:
    return RegionPicture(
        region=name,
        name=title,
        node=f"gw-{name}",
        is_reachable=health == "up",
        version=12,
        backends=tuple(BackendPicture(f"{name}-{n}", health, 10.4 if health == "up" else 0.0) for n in (1, 2)),
        rate=20.0,
        p50_s=0.083,
        p95_s=0.196,
        trend=(None,) * 20 + (0.001, 0.083, 0.195, 0.5),
        shares=shares,
    )


PICTURE = Picture(
    elapsed_s=83.4,
    scene=SCENE,
    regions=(
        region("eu-west", "Ireland", {"eu-west": 1.0}),
        region("us-east", "Virginia", {"eu-west": 0.78, BY_RULE: 0.2, FAILED: 0.02}, health="down"),
        region("ap-south", "Mumbai", {"ap-south": 0.6, "eu-west": 0.2, BY_RULE: 0.2}),
    ),
    news=(
        News(2.0, ("gw-us-east",), "us-east-1 is down: refused", is_bad=True),
        News(14.0, ("gw-eu-west", "gw-us-east", "gw-ap-south"), "eu-west-1 is up: http 200", is_bad=False),
    ),
    total=1_204,
    refused=21,
    failed=2,
)


def screen(picture: Picture, width: int = 100, height: int = 30) -> str:
    console = Console(width=width, height=height, force_terminal=True, record=True, file=io.StringIO())
    console.print(render(picture), end="")
    return console.export_text()


def test_it_fits_100_by_30() -> None:
    lines = screen(PICTURE).splitlines()
    assert len(lines) == 30
    assert max(len(line) for line in lines) <= 100


@pytest.mark.parametrize(
    "words",
    [
        "1,204 requests  21 refused by rule  2 failed  1:23",
        "Act 3 of 6: A region dies",
        "kill -9 of both backends in us-east.",
        "✕ A backend dies: 248 requests: 246 answered, 2 failed (2 connection_lost).",
        "… every node says that us-east-1 is down",
        "us-east · Virginia",
        "✕ us-east-1 down",
        "● eu-west-1",
        "83 ms / 196 ms",
        "▁▅██",
        "clients eu-west us-east ap-south by rule failed",
        "us-east 78% · · 20% 2%",
        "2 s us-east us-east-1 is down: refused",
        "14 s 3 nodes eu-west-1 is up: http 200",
        "✓ Calm ✕ A backend dies ▶ A region dies · It comes back · Residency holds · Processes die",
    ],
)
def test_it_shows(words: str) -> None:
    text = screen(PICTURE)
    assert words in text or words in " ".join(text.replace("│", " ").split()), text


def test_when_the_play_is_over_it_says_what_to_try() -> None:
    over = replace(SCENE, kept=(True,) * 6, sentences=("x",) * 6)
    text = screen(replace(PICTURE, scene=over))
    assert "The play is over" in text
    assert "curl -i http://127.0.0.1:20007/feed/1" in text


def test_before_anything_happened_nothing_is_missing() -> None:
    empty = replace(region("eu-west", "Ireland", {}), p50_s=None, p95_s=None, rate=0.0)
    first = replace(SCENE, number=1, kept=(), sentences=())
    text = screen(replace(PICTURE, scene=first, news=(), regions=(empty,) * 3))
    assert "- / -" in text
    assert "nothing yet: all is well" in text
