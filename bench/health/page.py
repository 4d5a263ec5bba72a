"""The page: each figure with its rounds, its goal, and whether it was met."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page. `goal` is the most that is allowed; None where none was set."""

    what: str
    values: Sequence[float]
    unit: str
    goal: float | None = None
    how: str = ""

    @property
    def is_met(self) -> bool:
        return self.goal is None or max(self.values) <= self.goal


def page(figures: Sequence[Figure], facts: Mapping[str, str], command: str) -> str:
    lines = [
        "# Health, leadership, failover: how long it takes",
        "",
        f"Written by `{command}`. Every round is a real death of real processes by `kill -9` or `SIGSTOP`, under",
        "traffic; the slowest round counts against the goal. It all runs on one machine: networks cost nothing here.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "| what | rounds | least | median | most | goal | met |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for one in figures:
        shown = [
            f"{value:.3g} {one.unit}" for value in (min(one.values), statistics.median(one.values), max(one.values))
        ]
        goal, met = ("", "") if one.goal is None else (f"{one.goal:g} {one.unit}", "yes" if one.is_met else "**no**")
        lines.append(f"| {one.what} | {len(one.values)} | {' | '.join(shown)} | {goal} | {met} |")
    notes = dict.fromkeys(one.how for one in figures if one.how)
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"
