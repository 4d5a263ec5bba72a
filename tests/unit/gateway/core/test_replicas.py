"""How far the data is in each region, as far as this data plane was told."""

from __future__ import annotations

import pytest

from gateway.core.replicas import Replicas
from health.core.session_token import SessionToken

TOKEN = SessionToken("note", 1, {"notes": {"eu:a.1": 7}, "drafts": {"eu:a.1": 2}})
APPLIED: dict[str, dict[str, dict[str, int]]] = {
    "eu": {"notes": {"eu:a.1": 9}, "drafts": {"eu:a.1": 2}},
    "us": {"notes": {"eu:a.1": 6}, "drafts": {"eu:a.1": 2}},
    "ap": {"notes": {"eu:a.1": 7}},
    "new": {"notes": {}, "drafts": {}},
}


def told() -> Replicas:
    made = Replicas()
    lags: dict[str, dict[str, float | None]] = {
        "eu": {"notes": 0.0, "drafts": 0.0},
        "us": {"notes": 4.0, "drafts": 0.0},
        "ap": {"notes": None},
    }
    made.hear(APPLIED, lags, now=100.0)
    return made


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ("eu", None),
        ("us", "it has applied 6 of 7 operations of eu:a.1 in collection notes"),
        ("ap", None),
        ("new", "it has applied 0 of 7 operations of eu:a.1 in collection notes"),
        ("mars", "it has not said what it has applied"),
    ],
)
def test_a_region_that_lacks_what_the_client_has_seen_says_what(region: str, why: str | None) -> None:
    found = told().behind(region, [TOKEN], bound_s=None, collections=None)
    assert found == (None if why is None else ("behind_session", why))


def test_without_a_token_and_a_bound_every_region_is_fresh_enough() -> None:
    assert told().behind("mars", [], bound_s=None, collections=None) is None


def test_a_bound_holds_for_the_routes_collections_or_for_all() -> None:
    def far(region: str, bound_s: float, *collections: str) -> str:
        found = told().behind(region, [], bound_s=bound_s, collections=frozenset(collections) or None)
        assert found is None or found[0] == "too_far_behind"
        return "" if found is None else found[1]

    assert far("us", 5.0) == ""
    assert far("us", 3.0) == "4.0 s behind in collection notes, more than 3 s"
    assert far("us", 3.0, "drafts") == ""
    assert far("ap", 100.0) == "how far it is behind in collection notes is not known"
    assert far("mars", 100.0) == "it has not said how far it is behind"


def test_a_lag_grows_while_nobody_says_anything() -> None:
    replicas = told()
    assert replicas.behind("eu", [], bound_s=1.0, collections=None) is None
    replicas.advance(101.5)
    assert replicas.behind("eu", [], bound_s=1.0, collections=None) is not None
    replicas.hear(APPLIED, {"eu": {"notes": 0.0}}, now=102.0)
    assert replicas.behind("eu", [], bound_s=1.0, collections=None) is None
