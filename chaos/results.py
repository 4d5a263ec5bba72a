"""What one run leaves behind: its figures, its promises, and the story of its seconds; kept as one JSON file.

A table and pictures are made of these files alone, so a long table can be made in several sittings.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos.checking.budget import failed
from chaos.traffic.history import History
from tidegate.demo.promises import Promise

Second = tuple[int, int, int, int]
"""Requests served and failed, writes acknowledged and not, of the requests and tries that began in it."""
MOST_NOTES = 60


@dataclass(frozen=True)
class Result:
    """Of one run of one experiment."""

    experiment: str
    number: int
    seed: int
    commit: str
    profile: str
    took_s: float
    figures: Mapping[str, float | None]
    promises: tuple[Promise, ...]
    seconds: Mapping[str, Sequence[Second]]
    """By region, from the first request on."""
    notes: Sequence[tuple[float, str, str]]
    """Seconds from the first request, kind, text."""

    @property
    def is_kept(self) -> bool:
        return bool(self.promises) and all(promise.is_kept for promise in self.promises)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name(self.experiment, self.number)).write_text(json.dumps(asdict(self), indent=None) + "\n")


def file_name(experiment: str, number: int) -> str:
    return f"{experiment}.{number}.json"


def read(folder: Path) -> list[Result]:
    """All that are there, by experiment and number. A file that is no result is left out."""
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            told: dict[str, Any] = json.loads(file.read_text())
            promises = tuple(Promise(**promise) for promise in told.pop("promises"))
            found.append(Result(promises=promises, **told))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def story(history: History) -> tuple[dict[str, list[Second]], list[tuple[float, str, str]]]:
    """The seconds by region, and the notes."""
    start = history.began()
    length = max((int(one.began - start) for one in history.exchanges), default=-1) + 1
    counts: dict[str, list[list[int]]] = defaultdict(lambda: [[0, 0, 0, 0] for _ in range(length)])
    for one in history.exchanges:
        if one.route != "limited":
            counts[one.region][int(one.began - start)][1 if failed(one) else 0] += 1
    for operation in history.operations:
        for attempt in operation.attempts:
            second = int(attempt.began - start)
            if 0 <= second < length and operation.refused is None:
                is_done = attempt.status in {200, 201, 202, 204}
                counts[attempt.region][second][2 if is_done else 3] += 1
    seconds = {region: [(a, b, c, d) for a, b, c, d in counts[region]] for region in sorted(counts)}
    notes: list[tuple[float, str, str]] = sorted(
        (round(note.at - start, 2), str(note.kind), note.text) for note in history.notes
    )
    return seconds, notes[:MOST_NOTES]
