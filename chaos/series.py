"""Many runs: grouped by what they are given, on as few meshes as can be, each result kept as soon as it is there.

A run that has a result of the same commit and profile is not made again, so a long series goes on where it stopped.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from chaos.column import Timing, tried
from chaos.experiment import Experiment
from chaos.mesh.admin import AdminSilent
from chaos.mesh.clock import FalseClockMissing
from chaos.mesh.mesh import Mesh, running
from chaos.mesh.plan import Setting
from chaos.results import Result, read, story
from tidegate.demo.promises import Promise
from tidegate.demo.waiting import NotInTimeError


@dataclass(frozen=True, slots=True)
class Run:
    """One that is to be made."""

    experiment: Experiment
    number: int
    seed: int


@dataclass(frozen=True)
class Series:
    """What all runs of one call have in common."""

    folder: Path
    """Where results are kept."""
    root: Path
    environ: Mapping[str, str]
    timing: Timing
    profile: str
    commit: str
    say: Callable[[str], None]

    async def made(self, wanted: Sequence[Run], *, is_again: bool = False) -> AsyncIterator[Result]:
        """Each as soon as it is there; `is_again`: also those that have a result."""
        there = [] if is_again else read(self.folder)
        missing = outstanding(wanted, there, commit=self.commit, profile=self.profile)
        if skipped := len(wanted) - len(missing):
            self.say(f"{skipped} of {len(wanted)} runs have a result already")
        for setting, runs in grouped(missing):
            async for result in self._on_meshes(setting, runs):
                result.write(self.folder)
                yield result

    async def _on_meshes(self, setting: Setting, runs: Sequence[Run]) -> AsyncIterator[Result]:
        """On one mesh, and on a fresh one after a run that left it in pieces."""
        waiting = [*runs]
        while waiting:
            directory = Path(tempfile.mkdtemp(prefix="tidegate-chaos-"))
            is_kept = True
            try:
                async with running(setting, directory=directory, root=self.root, environ=self.environ) as mesh:
                    while waiting and is_kept:
                        result = await self._one(mesh, waiting.pop(0))
                        is_kept = result.is_kept
                        yield result
            except FalseClockMissing as missing:
                self.say(f"skipped: {', '.join(run.experiment.name for run in waiting)}: {missing}")
                waiting.clear()
            except NotInTimeError as late:
                is_kept = False
                if waiting:
                    yield self._never_began(waiting.pop(0), late)
            if is_kept:
                shutil.rmtree(directory, ignore_errors=True)
            else:
                self.say(f"  logs, configuration and data: {directory}")

    async def _one(self, mesh: Mesh, run: Run) -> Result:
        name = f"{run.experiment.name.replace('_', '.')}.{run.number}"
        try:
            outcome = await tried(mesh, run.experiment, run=name, seed=run.seed, timing=self.timing)
        except (NotInTimeError, AdminSilent, ExceptionGroup) as error:
            return self._never_began(run, error)
        seconds, notes = story(outcome.history)
        return replace(
            self._empty(run),
            took_s=round(outcome.took_s, 1),
            figures={key: None if value is None else round(value, 4) for key, value in outcome.figures.items()},
            promises=outcome.promises,
            seconds=seconds,
            notes=notes,
        )

    def _never_began(self, run: Run, error: Exception) -> Result:
        """Also what was broken off in the middle: the rig could not do what it was to do, and nothing is shown."""
        why = "; ".join(map(str, error.exceptions)) if isinstance(error, ExceptionGroup) else str(error)
        promise = Promise("the run came to its end", is_kept=False, found=why)
        return replace(self._empty(run), promises=(promise,))

    def _empty(self, run: Run) -> Result:
        return Result(run.experiment.name, run.number, run.seed, self.commit, self.profile, 0.0, {}, (), {}, ())


def outstanding(wanted: Sequence[Run], there: Iterable[Result], *, commit: str, profile: str) -> list[Run]:
    """Those without a result of this commit and profile."""
    done = {(one.experiment, one.number) for one in there if (one.commit, one.profile) == (commit, profile)}
    return [run for run in wanted if (run.experiment.name, run.number) not in done]


def grouped(runs: Sequence[Run]) -> list[tuple[Setting, list[Run]]]:
    """By number, so that a series that is broken off has all columns before it has one twice; then by setting."""
    order = {setting: place for place, setting in enumerate(dict.fromkeys(run.experiment.setting for run in runs))}
    ordered = sorted(runs, key=lambda run: (run.number, order[run.experiment.setting]))
    groups = groupby(ordered, key=lambda run: (run.number, run.experiment.setting))
    return [(setting, [*same]) for (_, setting), same in groups]
