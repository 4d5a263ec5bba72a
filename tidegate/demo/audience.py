"""Who is told how the play goes: a person at a terminal, who sees a picture that moves, or a reader of lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.live import Live

from tidegate.demo import report
from tidegate.demo.picture import Picture
from tidegate.demo.report import Played
from tidegate.demo.stage import Act
from tidegate.demo.view import render

DRAW_EVERY_S = 0.25


class Audience(Protocol):
    """Is told what happens, when it happens."""

    def tell(self, text: str) -> None:
        """Something on the way, such as `eu-west-1 is ready`."""

    def begin(self, act: Act, *, number: int, of: int) -> None:
        """An act begins."""

    def end(self, played: Played) -> None:
        """It has ended."""

    async def digest(self) -> None:
        """Time to take in what came of an act; the play waits, and nothing else depends on it."""

    async def follow(self, look: Callable[[], Picture]) -> None:
        """Watch until cancelled."""


class Reader:
    """Reads lines; each comes out at once, also through a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, text: str) -> None:
        self._line(text)

    def begin(self, act: Act, *, number: int, of: int) -> None:
        self._line(f"Act {number} of {of}: {act.title}. {act.what}")

    def end(self, played: Played) -> None:
        for line in report.lines(played):
            self._line(line)

    async def digest(self) -> None:
        """Lines stay where they are; a reader needs no time."""

    async def follow(self, look: Callable[[], Picture]) -> None:
        await asyncio.get_running_loop().create_future()  # nothing to do until cancelled

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


class Spectator:
    """Sees the picture, drawn again several times a second on a screen of its own; gets the lines when it is over."""

    def __init__(self, console: Console, *, reading_time_s: float = 4.0) -> None:
        self._console = console
        self._reading_time_s = reading_time_s
        self._reader = Reader(console)
        self._played: list[Played] = []
        self._is_watching = False

    def tell(self, text: str) -> None:
        if not self._is_watching:  # else the picture shows it
            self._reader.tell(text)

    def begin(self, act: Act, *, number: int, of: int) -> None:
        """The picture shows it."""

    def end(self, played: Played) -> None:
        if self._is_watching:
            self._played.append(played)
        else:
            self._report(played)

    async def digest(self) -> None:
        await asyncio.sleep(self._reading_time_s)

    async def follow(self, look: Callable[[], Picture]) -> None:
        self._is_watching = True
        try:
            with Live(console=self._console, screen=True, auto_refresh=False) as live:
                while True:
                    live.update(render(look()), refresh=True)
                    await asyncio.sleep(DRAW_EVERY_S)
        finally:
            self._is_watching = False
            for played in self._played:
                self._report(played)

    def _report(self, played: Played) -> None:
        self._reader.tell(played.title)
        self._reader.end(played)
