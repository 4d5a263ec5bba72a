"""Which runs are to be made, and on which mesh."""

from __future__ import annotations

from chaos.experiment import Experiment
from chaos.faults import nothing
from chaos.mesh.plan import Setting
from chaos.series import Run, grouped, outstanding
from tests.unit.chaos.results_of_runs import result

LATENCY = Experiment("latency", "a", "b", nothing)
DOWN = Experiment("down", "a", "b", nothing, Setting(state="postgres"))
CUT = Experiment("cut", "a", "b", nothing)


def test_what_has_a_result_of_this_commit_and_profile_is_not_made_again() -> None:
    wanted = [Run(LATENCY, 1, 1), Run(LATENCY, 2, 2)]
    there = [result("latency", 1)]
    assert outstanding(wanted, there, commit="abc", profile="full") == [wanted[1]]
    assert outstanding(wanted, there, commit="def", profile="full") == wanted
    assert outstanding(wanted, there, commit="abc", profile="short") == wanted


def test_runs_that_are_given_the_same_of_one_number_share_a_mesh() -> None:
    runs = [Run(LATENCY, 1, 1), Run(LATENCY, 2, 2), Run(DOWN, 1, 1), Run(CUT, 1, 1)]
    assert grouped(runs) == [
        (Setting(), [runs[0], runs[3]]),
        (Setting(state="postgres"), [runs[2]]),
        (Setting(), [runs[1]]),
    ]
