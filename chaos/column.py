"""One run of one experiment on a running mesh: traffic, fault, healing, quiesce, final read, judgement.

quiet ── traffic ── fault ── healed ── traffic ── stopped ── loose ends tied ── all regions alike ── judged
  |                                                                                                    |
  held before                                                                                     held after
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chaos import remains
from chaos.checking import data, resources
from chaos.checking.figures import figures
from chaos.checking.promises import Facts, judged
from chaos.experiment import Experiment
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import REGIONS
from chaos.mesh.processes import Held
from chaos.traffic import final
from chaos.traffic.history import History, Note
from chaos.traffic.known import Known
from chaos.traffic.sending import new_session
from tidegate.demo.promises import Promise
from tidegate.demo.waiting import NotInTimeError, until

BACK_WITHIN_S = 20.0
"""Pooled connections are closed when they were idle for ten seconds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each part takes, in seconds."""

    before_s: float = 4.0
    fault_s: float = 15.0
    after_s: float = 4.0


SHORT = Timing(before_s=2.0, fault_s=8.0, after_s=2.0)


@dataclass(frozen=True)
class Outcome:
    """Of one run."""

    experiment: str
    run: str
    seed: int
    promises: tuple[Promise, ...]
    figures: Mapping[str, float | None]
    history: History = field(repr=False)
    took_s: float = 0.0


async def tried(
    mesh: Mesh,
    experiment: Experiment,
    *,
    run: str,
    seed: int,
    timing: Timing,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """One run. `run` is a name that no other run on this mesh has."""
    began = clock()
    known = Known(
        run,
        admin=mesh.admin,
        nodes=mesh.nodes,
        rng=random.Random(seed),  # noqa: S311 - spreads requests, guards nothing
        counts_together=mesh.setting.counts_together,
        clock=clock,
    )
    mesh.forget()
    await mesh.settle(within_s=experiment.bounds.settle_within_s)
    before = await _held(mesh)
    settle_s, unsettled = await _with_traffic(mesh, experiment, known, timing, clock)
    await known.finish()
    converge_s = await _converged(known, run, within_s=experiment.bounds.converge_within_s)
    await remains.gather(known.history, mesh, run)
    after = await _back(mesh, before, memory_mib=experiment.bounds.memory_mib)
    held_back = known.held_back(before=known.history.fault_span()[0])
    facts = Facts(
        settle_s,
        converge_s,
        before,
        after,
        held_back,
        unsettled,
        remains.marks_at_home(mesh, run),
        drained=tuple(mesh.drained),
        gone=tuple(mesh.gone),
        survivals=tuple(mesh.survivals),
        churns=tuple(mesh.churns),
    )
    promises = judged(known.history, facts, experiment.bounds)
    return Outcome(experiment.name, run, seed, promises, figures(known.history, facts), known.history, clock() - began)


async def _with_traffic(
    mesh: Mesh, experiment: Experiment, known: Known, timing: Timing, clock: Callable[[], float]
) -> tuple[float | None, str]:
    """How long it took until every node said that all is well, None if it took too long, and why."""
    stopping = asyncio.Event()
    notes = known.history.notes
    async with asyncio.TaskGroup() as group:
        group.create_task(known.run(stopping))
        await asyncio.sleep(timing.before_s)
        notes.append(Note(clock(), experiment.when, "fault"))
        async with experiment.fault(mesh):
            await asyncio.sleep(timing.fault_s * experiment.lasts)
        notes.append(Note(clock(), "healed", "healed"))
        settle_s: float | None = None
        unsettled = ""
        try:
            settle_s = await mesh.settle(within_s=experiment.bounds.settle_within_s)
        except NotInTimeError as late:
            unsettled = late.what
        await asyncio.sleep(timing.after_s)
        stopping.set()
    return settle_s, unsettled


async def _converged(known: Known, run: str, *, within_s: float) -> float | None:
    """The final read, again and again until all regions agree."""
    async with new_session() as session:

        async def agree() -> bool:
            try:
                known.history.final = await final.holdings(session, run)
            except final.NotReadable:
                return False
            return not any(data.divergence(known.history))

        try:
            return await until(agree, within_s=within_s, every_s=0.3, what="all regions alike")
        except NotInTimeError:
            return None


async def _held(mesh: Mesh) -> dict[str, Held]:
    return {region: await mesh.held(region) for region in REGIONS}


async def _back(mesh: Mesh, before: Mapping[str, Held], *, memory_mib: int) -> dict[str, Held]:
    """What is held once it is as before, or in the end."""
    after: dict[str, Held] = {}

    async def is_back() -> bool:
        after.update(await _held(mesh))
        return not any(resources.not_back(before, after, memory_mib=memory_mib))

    with contextlib.suppress(NotInTimeError):  # the promise says what is above
        await until(is_back, within_s=BACK_WITHIN_S, every_s=0.5, what="what was held before")
    return after
