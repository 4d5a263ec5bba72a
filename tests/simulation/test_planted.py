"""Every planted bug is found within a few seeds, by name; without any, the same seeds find nothing."""

from __future__ import annotations

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.world import run

SEEDS = range(1, 26)
SOONER = {
    "deletes_are_forgotten_before_what_they_deleted_came": 15,
    "contexts_prove_too_much": 8,
}
"""The first seed that is known to find a bug that hides well; without it the search takes a minute."""


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    seeds = [SOONER.get(bug, 1), *SEEDS]
    found = next((report for seed in seeds if (report := run(seed, PLANTED[bug]())).violations), None)
    assert found is not None, f"{bug} was not found in {len(SEEDS)} seeds"


def test_the_same_seed_is_the_same_run_to_the_last_byte() -> None:
    assert run(7) == run(7)
    assert run(7).schedule != run(8).schedule


def test_without_a_planted_bug_nothing_is_wrong() -> None:
    assert [report.violations for report in map(run, SEEDS[:5])] == [()] * 5
