"""One run judged: all kept where all is well, and for each thing that goes wrong the promise that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.checking.promises import Facts, judged
from chaos.experiment import Bounds
from chaos.mesh.plan import REGIONS
from chaos.mesh.processes import Held
from chaos.traffic.history import Arrival, Churn, Claim, History, Seen, Survival
from tests.unit.chaos.histories import arrival, exchange, holds, well

HELD = dict.fromkeys(REGIONS, Held(4, 200 << 20, 100, 20))
FACTS = Facts(1.0, 0.5, HELD, HELD, marks_at_home=1)


def broken(history: History, facts: Facts = FACTS) -> list[str]:
    return [promise.text for promise in judged(history, facts, Bounds()) if not promise.is_kept]


def test_every_promise_is_kept_where_all_is_well() -> None:
    assert broken(well(240)) == []


def test_where_one_region_is_hit_its_own_clients_may_notice_and_nobody_else() -> None:
    history = well(240)
    bounds = Bounds(hit="eu-west", failed_idempotent=0.5)
    history.exchanges[120] = replace(history.exchanges[120], status=502, echoed=None)
    assert history.exchanges[120].region == "eu-west"
    assert all(promise.is_kept for promise in judged(history, FACTS, bounds))
    history.exchanges[121] = replace(history.exchanges[121], status=502, echoed=None)
    (broken,) = [promise for promise in judged(history, FACTS, bounds) if not promise.is_kept]
    assert broken.text == "no client outside eu-west has a request fail"


def test_a_run_in_which_nothing_was_asked_shows_nothing() -> None:
    assert len(broken(History())) >= 3


def fail_some(history: History) -> None:
    history.exchanges[120] = replace(history.exchanges[121], status=502, echoed=None)


def lose_a_write(history: History) -> None:
    holds(history, "notes", "heap/1", "a:1")


def lead_twice(history: History) -> None:
    history.claims.append(Claim(9.6, 9.7, "gw-us-east", 1))


def flood(history: History) -> None:
    many = [exchange(f"f{n}", 12.0, route="limited") for n in range(60)]
    history.exchanges += many
    history.arrivals += [arrival(one) for one in many]


def wander(history: History) -> None:
    at = next(number for number, one in enumerate(history.exchanges) if one.token == "v2")
    history.exchanges[at] = replace(history.exchanges[at], backend="eu-west-b")
    history.arrivals.append(arrival(history.exchanges[at]))


def see_both(history: History) -> None:
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 13.0, 300, None, 2, beside=("c:1", "c:2")))


def cross_unseen(history: History) -> None:
    history.arrivals.append(Arrival(12.0, "us-east-a", "us-east", "gw-eu-west", "GET", "/app/x", "x", "r"))


def forge(history: History) -> None:
    history.audit_faults.append("eu-west: a line that does not follow from the one before")


def flood_together(history: History) -> None:
    many = [exchange(f"f{n}", 12.0, region=REGIONS[n % 3], route="shared") for n in range(60)]
    history.exchanges += many
    history.arrivals += [arrival(one, region=one.region) for one in many]


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (wander, "a session stays with its endpoint unless that was gone"),
        (see_both, "C4: nothing is seen beside what it replaced, or after it"),
        (cross_unseen, "C13: what crosses a border is recorded once, and so is what may not"),
        (forge, "C13: audit logs are as they were written"),
        (flood_together, "a limit of all nodes is exceeded by at most 12"),
        (fail_some, "at most 0.0% of the requests that may be repeated fail during the fault"),
        (lose_a_write, "C1: no acknowledged write is lost"),
        (lead_twice, "C11: one leader an epoch"),
        (flood, "limits are exceeded by at most 0"),
    ],
)
def test_each_harm_breaks_its_own_promise_and_no_other(harm: Callable[[History], None], text: str) -> None:
    history = well(240)
    harm(history)
    assert broken(history) == [text]


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (replace(FACTS, settle_s=None, unsettled="x is down"), "every node says that all is well within 30 s"),
        (replace(FACTS, converge_s=None), "C9: all regions hold the same within 30 s"),
        (replace(FACTS, marks_at_home=0), "C8: personal data stays at home"),
        (replace(FACTS, held_back=3), "the clients could keep their pace"),
        (replace(FACTS, drained=(("eu-west-a", 0.0, 99.0),)), "nothing reaches an endpoint whose drain has ended"),
        (
            replace(FACTS, after={**HELD, "us-east": Held(4, 200 << 20, 900, 20)}),
            "nodes hold what they held before",
        ),
        (
            replace(FACTS, after={**HELD, "us-east": replace(HELD["us-east"], disk_bytes=99 << 20)}),
            "C12: disks grow by no more than what was written",
        ),
        (
            replace(FACTS, survivals=[Survival("k", "v", "eu-west", None)]),
            "C10: what was acknowledged outlives a kill -9 the moment after",
        ),
        (replace(FACTS, churns=[Churn("eu-west", 200_000, 200_000)]), "C12: logs are cut, whoever is dead"),
    ],
)
def test_what_was_measured_around_it_breaks_promises_too(facts: Facts, text: str) -> None:
    assert broken(well(240), facts) == [text]


def test_where_stores_were_to_be_killed_upon_an_acknowledgement_and_were_not_nothing_is_shown() -> None:
    kept = Survival("k", "v", "eu-west", "v")
    for count, is_kept in ((0, False), (1, False), (2, True)):
        promises = judged(well(240), replace(FACTS, survivals=[kept] * count), Bounds(kills_upon_ack=2))
        (promise,) = [one for one in promises if one.text.startswith("C10")]
        assert promise.is_kept == is_kept
