"""A promise is kept when the record shows it, broken when the record speaks against it, or says nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tidegate.demo import promises
from tidegate.demo.cluster import Arrival
from tidegate.demo.traffic import Answer

SERVED = Answer(
    region="eu-west",
    route="feed",
    method="GET",
    path="/feed/eu-west/000001",
    began=10.0,
    ended=10.002,
    status=200,
    backend="eu-west-1",
    served_from="eu-west",
    proxy_status=None,
    reason=None,
    rule=None,
    error=None,
)
FAILED = replace(SERVED, status=502, backend=None, served_from=None, reason="connection_refused")
CUT_OFF = replace(SERVED, status=None, backend=None, served_from=None, error="ServerDisconnectedError")
REFUSED = replace(FAILED, route="profile", status=503, proxy_status="gw-eu-west; error=x", rule="profile")
SENT_HOME = replace(FAILED, region="us-east", route="profile", status=308, reason="residency")


def arrival(backend: str, path: str, *, method: str = "GET", is_probe: bool = False, body: str = "") -> Arrival:
    line = json.dumps({"path": path, "body": body})
    return Arrival(1.0, backend, method, path, None, "gw-eu-west", is_probe, line)


def test_no_idempotent_request_failed() -> None:
    assert promises.none_failed([SERVED, SENT_HOME]).is_kept


@pytest.mark.parametrize("failure", [FAILED, CUT_OFF])
def test_one_failed_idempotent_request_breaks_the_promise_and_is_described(failure: Answer) -> None:
    promise = promises.none_failed([SERVED, failure])
    assert not promise.is_kept
    assert "1 of 2 requests: GET /feed/eu-west/000001 -> " in promise.found


def test_a_failed_post_does_not_break_it_since_a_post_is_not_idempotent() -> None:
    assert promises.none_failed([SERVED, replace(FAILED, method="POST")]).is_kept


def test_without_a_request_nothing_is_shown() -> None:
    promise = promises.none_failed([])
    assert (promise.is_kept, promise.found) == (False, "no request to show it by")


def test_a_bound_request_sent_away_from_another_region_has_not_failed_but_one_refused_at_home_has() -> None:
    assert not SENT_HOME.is_failed
    assert replace(SENT_HOME, region="eu-west").is_failed


def test_clients_are_served_from_the_expected_region() -> None:
    expected = {"eu-west": "eu-west", "us-east": "eu-west"}
    told = [SERVED, replace(SERVED, region="us-east")]
    assert promises.served_by(told, text="home", expected=expected).is_kept
    assert not promises.served_by([replace(SERVED, served_from="us-east")], text="home", expected=expected).is_kept


def test_an_answer_that_stands_in_no_log_breaks_agreement() -> None:
    logged = [arrival("eu-west-1", SERVED.path)]
    assert promises.logs_agree([SERVED], logged).is_kept
    assert not promises.logs_agree([SERVED, replace(SERVED, backend="eu-west-2")], logged).is_kept


def test_probes_may_go_to_a_dead_backend_but_no_request() -> None:
    probe = arrival("eu-west-1", "/healthz", is_probe=True)
    assert promises.left_alone("eu-west-1", [probe]).is_kept
    assert not promises.left_alone("eu-west-1", [probe, arrival("eu-west-1", "/feed/1")]).is_kept


def test_a_witness_that_saw_nothing_at_all_shows_nothing() -> None:
    assert not promises.left_alone("eu-west-1", []).is_kept


def test_every_node_must_notice_a_death_in_time() -> None:
    assert promises.left_in_time({"gw-a": 1.1, "gw-b": 1.9}, what="x", bound_s=2.0).found == "the slowest took 1.90 s"
    assert promises.left_in_time({"gw-a": 1.1, "gw-b": 2.1}, what="x", bound_s=2.0).found == "gw-b: 2.10 s"
    assert promises.left_in_time({"gw-a": None}, what="x", bound_s=2.0).found == "gw-a: not at all"
    assert not promises.left_in_time({}, what="x", bound_s=2.0).is_kept


def test_failing_closed_means_503_with_proxy_status_and_the_rule() -> None:
    assert promises.fails_closed([REFUSED], rule="profile").is_kept
    for wrong in (
        replace(REFUSED, status=502),
        replace(REFUSED, proxy_status=None),
        replace(REFUSED, rule=None),
        replace(SERVED, route="profile"),
    ):
        assert not promises.fails_closed([REFUSED, wrong], rule="profile").is_kept


def test_a_bound_path_or_body_in_another_regions_log_breaks_residency() -> None:
    other = arrival("us-east-1", "/feed/us-east/000007")
    assert promises.stayed_home([REFUSED], [other], home="eu-west").is_kept
    for leak in (arrival("us-east-1", REFUSED.path), arrival("us-east-1", "/else", body=f"what {REFUSED.path} holds")):
        assert not promises.stayed_home([REFUSED], [other, leak], home="eu-west").is_kept


def test_residency_is_not_shown_by_empty_logs_or_no_request() -> None:
    assert not promises.stayed_home([REFUSED], [], home="eu-west").is_kept
    assert not promises.stayed_home([], [arrival("us-east-1", "/x")], home="eu-west").is_kept


def test_a_death_may_lose_what_was_held_and_nothing_later() -> None:
    held = replace(CUT_OFF, began=9.9)
    assert promises.only_held_lost([held, SERVED], died_at=10.0).found == "1 request; 1 lost with the process"
    assert not promises.only_held_lost([SERVED, replace(CUT_OFF, began=10.1)], died_at=10.0).is_kept


def test_the_sentence_counts_what_happened() -> None:
    assert promises.sentence([SERVED, SERVED]) == "2 requests: 2 answered, none failed"
    assert promises.sentence([SERVED, SENT_HOME, FAILED, CUT_OFF]) == (
        "4 requests: 1 answered, 1 sent to the region that may hold their data, "
        "2 failed (1 connection_refused, 1 ServerDisconnectedError)"
    )


def test_only_the_first_examples_are_shown() -> None:
    assert promises.none_failed([FAILED] * 5).found.endswith("and 2 more")
