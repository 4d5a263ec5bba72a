"""Every bug planted in whole regions is found within a few seeds; without any, the same seeds find nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness import virtual_time
from tests.harness.lives import Life, LivesLoop
from tests.simulation.regions.planted import PLANTED
from tests.simulation.regions.world import run
from tests.simulation.report import Report, shrunk

SEEDS = range(1, 13)
SOONER = {
    "everything_is_tried_again": 8,
    "a_new_primary_does_not_look_around": 4,
    "a_lease_is_looked_at_once": 34,
    "leases_have_no_end": 2,
}
"""The first seed that is known to find a bug that hides well."""


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    seeds = [SOONER.get(bug, 1), *SEEDS]
    found = next((report for seed in seeds if (report := run(seed, PLANTED[bug]())).violations), None)
    assert found is not None, f"{bug} was not found in {len(SEEDS)} seeds"


def test_the_same_seed_is_the_same_run() -> None:
    assert run(3) == run(3)
    assert run(3).schedule != run(4).schedule


def test_without_a_planted_bug_nothing_is_wrong() -> None:
    assert [report.violations for report in map(run, SEEDS[:3])] == [()] * 3


def test_a_failure_is_shrunk_to_the_faults_that_it_takes() -> None:
    def again(left_out: object) -> Report:
        assert isinstance(left_out, set)
        faults = [f"{number} fault" for number in ("1.1", "1.2", "2.1", "2.2") if number not in left_out]
        is_failing = {"1.2 fault", "2.2 fault"} <= set(faults)
        return Report(7, ("it fails",) if is_failing else (), 0, 0, 0, tuple(faults), 0.0, "")

    assert shrunk(again, again(set())).faults == ("1.2 fault", "2.2 fault")
    assert shrunk(again, again(set()), most_runs=1).faults == ("1.2 fault", "2.1 fault", "2.2 fault")


def test_a_process_stands_still_and_goes_on_late_and_a_dead_one_never() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LivesLoop)
        seen: list[tuple[str, float]] = []

        async def beat(name: str) -> None:
            try:
                while True:
                    await asyncio.sleep(1.0)
                    seen.append((name, round(loop.time(), 3)))
            finally:
                seen.append((f"{name} cleans up", loop.time()))

        paused, killed = Life("paused"), Life("killed")
        paused.spawn(beat("paused"), name="beat")
        killed.spawn(beat("killed"), name="beat")
        await asyncio.sleep(1.5)
        paused.pause(3.0)
        killed.end()
        await asyncio.sleep(4.2)
        found = list(seen)
        loop.let_go()
        return found

    seen = virtual_time.run(main(), loop=LivesLoop)
    assert seen == [("paused", 1.0), ("killed", 1.0), ("paused", 4.5), ("paused", 5.5)]


def test_a_run_ends_although_a_dead_process_has_tasks_that_never_began() -> None:
    async def main() -> list[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LivesLoop)
        dead = Life("dead")
        dead.end()
        tasks = [dead.spawn(asyncio.sleep(1.0), name="what was asked of it too late")]
        await asyncio.sleep(2.0)
        assert not tasks[0].done()
        loop.let_go()
        return tasks

    assert [task.cancelled() for task in virtual_time.run(main(), loop=LivesLoop)] == [True]
