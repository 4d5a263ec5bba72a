"""What is known of everything configured, through results, reloads and restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from health.core.book import Book, Reconciled
from health.core.probe import ProbeResult, ProbeSettings, ProbeTarget

SETTINGS = ProbeSettings()
WELL, ILL = True, False


def target(number: int, region: str = "eu", settings: ProbeSettings = SETTINGS) -> ProbeTarget:
    host = f"10.0.0.{number}"
    return ProbeTarget(f"api/{region}/{host}:80", "api", region, host, 80, settings)


def result(passed: bool, *, rtt_s: float | None = None) -> ProbeResult:
    return ProbeResult(passed, "http 200" if passed else "connection refused", 1.0, 0.01, rtt_s)


def book_of(*targets: ProbeTarget) -> Book:
    book = Book()
    reconcile(book, *targets)
    return book


def reconcile(book: Book, *targets: ProbeTarget) -> Reconciled:
    return book.reconcile(targets, now=0.0, steady=0.0)


def observe(book: Book, of: ProbeTarget, passed: bool, *, rtt_s: float | None = None) -> tuple[str, ...]:
    return book.observe(of.endpoint, result(passed, rtt_s=rtt_s), now=1.0, steady=1.0)


ONE, TWO, FAR = target(1), target(2), target(3, "us")


def test_a_first_result_is_told_for_the_endpoint_and_its_region() -> None:
    assert observe(book_of(ONE, TWO), ONE, WELL) == (
        "endpoint api/eu/10.0.0.1:80 is up: http 200",
        "service api is up: 1 of 2 endpoints up",
        "region eu is up: 1 of 2 endpoints up, 1 untested",
    )


def test_a_result_that_changes_no_verdict_says_nothing() -> None:
    book = book_of(ONE)
    observe(book, ONE, WELL)
    assert observe(book, ONE, WELL) == ()
    assert observe(book, ONE, ILL) == ()


def test_regions_are_judged_apart() -> None:
    book = book_of(ONE, FAR)
    observe(book, ONE, WELL)
    observe(book, FAR, ILL)
    assert {name: region.health for name, region in book.regions(steady=1.0).items()} == {"eu": "up", "us": "down"}


def test_a_reload_that_changes_nothing_changes_nothing_learnt() -> None:
    book = book_of(ONE, TWO)
    observe(book, ONE, ILL, rtt_s=0.08)
    before = book.endpoints(steady=0.0), book.regions(steady=1.0), book.history(ONE.endpoint)
    assert reconcile(book, replace(ONE), replace(TWO)) == Reconciled((), (), (), (), ())
    assert (book.endpoints(steady=0.0), book.regions(steady=1.0), book.history(ONE.endpoint)) == before


def test_a_target_that_is_gone_is_forgotten_and_its_region_with_it() -> None:
    book = book_of(ONE, FAR)
    observe(book, FAR, ILL)
    assert reconcile(book, ONE).gone == (FAR.endpoint,)
    assert list(book.endpoints(steady=0.0)) == [ONE.endpoint]
    assert list(book.regions(steady=0.0)) == ["eu"]
    with pytest.raises(KeyError):
        book.history(FAR.endpoint)
    with pytest.raises(KeyError):
        book.region_changes("us")


def test_a_region_whose_bad_endpoint_leaves_is_judged_anew_and_says_so() -> None:
    book = book_of(ONE, TWO)
    observe(book, ONE, ILL)
    observe(book, TWO, WELL)
    strict = replace(ONE, minimum_capacity=0.6), replace(TWO, minimum_capacity=0.6)
    degraded = reconcile(book, *strict).sentences
    assert degraded == (
        "service api is degraded: 1 of 2 endpoints up, degraded in eu",
        "region eu is degraded: 1 of 2 endpoints up, expected at least 60%",
    )
    assert reconcile(book, strict[1]).sentences == (
        "service api is up: 1 of 1 endpoint up",
        "region eu is up: 1 of 1 endpoint up",
    )


def test_another_pace_keeps_verdict_and_counts() -> None:
    book = book_of(ONE)
    observe(book, ONE, WELL)
    observe(book, ONE, ILL)
    hasty = replace(ONE, settings=ProbeSettings(unhealthy_threshold=2))
    assert reconcile(book, hasty).paced_anew == (ONE.endpoint,)
    assert book.endpoints(steady=0.0)[ONE.endpoint].health == "up"
    assert observe(book, ONE, ILL)[0] == "endpoint api/eu/10.0.0.1:80 is down: connection refused"


@pytest.mark.parametrize(
    "changed",
    [
        replace(ONE, port=8081),
        replace(ONE, settings=ProbeSettings(path="/ready")),
        replace(ONE, settings=ProbeSettings(protocol="tcp")),
        replace(ONE, settings=ProbeSettings(expected_body="well")),
        replace(ONE, settings=ProbeSettings(expected_status=((204, 204),))),
        replace(ONE, settings=ProbeSettings(host="example.org")),
    ],
)
def test_another_question_keeps_the_verdict_and_starts_rows_and_distance_anew(changed: ProbeTarget) -> None:
    book = book_of(ONE)
    observe(book, ONE, WELL, rtt_s=0.08)
    observe(book, ONE, ILL)
    assert reconcile(book, changed).asked_anew == (ONE.endpoint,)
    verdict = book.endpoints(steady=0.0)[ONE.endpoint]
    assert (verdict.health, verdict.failures, verdict.rtt_s) == ("up", 0, None)


def test_a_region_is_as_far_as_its_nearest_endpoint_that_is_up() -> None:
    book = book_of(ONE, TWO, FAR)
    assert book.region_rtts() == {}
    observe(book, ONE, ILL, rtt_s=0.001)
    observe(book, TWO, WELL, rtt_s=0.08)
    assert book.region_rtts() == {"eu": 0.08}


def test_handshakes_measure_a_region_only_where_no_answer_does() -> None:
    tcp = replace(TWO, settings=ProbeSettings(protocol="tcp"))
    book = book_of(ONE, tcp)
    observe(book, tcp, WELL, rtt_s=0.001)
    assert book.region_rtts() == {"eu": 0.001}
    observe(book, ONE, WELL, rtt_s=0.08)
    assert book.region_rtts() == {"eu": 0.08}


@pytest.mark.parametrize("is_restored_first", [True, False])
def test_what_an_earlier_process_knew_is_taken_up_before_or_after_the_configuration(is_restored_first: bool) -> None:
    earlier = book_of(ONE, TWO, FAR)
    observe(earlier, ONE, ILL, rtt_s=0.08)
    observe(earlier, FAR, ILL)
    book = Book() if is_restored_first else book_of(ONE, TWO)
    assert book.restore(earlier.endpoints(steady=0.0), now=2.0, steady=0.0) is not is_restored_first
    if is_restored_first:
        book.reconcile((ONE, TWO), now=2.0, steady=0.0)
    assert book.endpoints(steady=0.0) == {
        name: of for name, of in earlier.endpoints(steady=0.0).items() if name != FAR.endpoint
    }
    assert book.regions(steady=0.0)["eu"].reason == "0 of 2 endpoints up, 1 untested"


def test_what_was_saved_of_an_endpoint_added_by_a_later_reload_is_not_dug_out() -> None:
    earlier = book_of(ONE, TWO)
    observe(earlier, TWO, ILL)
    book = Book()
    book.restore(earlier.endpoints(steady=0.0), now=2.0, steady=0.0)
    reconcile(book, ONE)
    reconcile(book, ONE, TWO)
    assert book.endpoints(steady=0.0)[TWO.endpoint].health == "untested"


def test_a_service_that_is_down_in_one_of_its_regions_is_degraded() -> None:
    book = book_of(ONE, FAR)
    observe(book, ONE, WELL)
    assert "service api is degraded: 1 of 2 endpoints up, down in us" in observe(book, FAR, ILL)
    assert {one.region: one.health for one in book.services()["api"].regions} == {"eu": "up", "us": "down"}
    (sentence,) = reconcile(book, ONE).sentences
    assert sentence == "service api is up: 1 of 1 endpoint up"


def test_a_service_is_degraded_below_the_minimum_capacity_of_a_region() -> None:
    strict = [replace(one, minimum_capacity=0.6) for one in (ONE, TWO)]
    book = book_of(*strict)
    observe(book, ONE, WELL)
    observe(book, TWO, ILL)
    assert book.services()["api"].health == "degraded"


def test_the_last_endpoint_that_leaves_takes_its_service_along() -> None:
    book = book_of(ONE)
    reconcile(book)
    assert book.services() == {}


def test_what_an_earlier_process_knew_holds_for_the_service_too() -> None:
    before = book_of(ONE)
    observe(before, ONE, WELL)
    after = book_of(ONE)
    assert after.services()["api"].health == "untested"
    after.restore(before.endpoints(steady=1.0), now=2.0, steady=2.0)
    assert after.services()["api"].health == "up"
