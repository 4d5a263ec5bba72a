from __future__ import annotations

from bench.goals import AT_MOST, FLAT_KEYS, US, judge
from bench.metrics import METRICS
from bench.results import Results

KEYS = {metric.key for metric in METRICS}


def verdicts(results: Results) -> dict[str, tuple[str, str]]:
    return {one.goal: (one.measured, one.verdict) for one in judge(results)}


def test_every_goal_is_about_something_that_is_measured() -> None:
    assert {goal.metric for goal in AT_MOST} <= KEYS
    assert {key for _, keys in FLAT_KEYS for key in keys} <= KEYS


def test_nothing_measured_meets_nothing() -> None:
    assert {one.verdict for one in judge(Results())} == {"not measured"}


def test_what_the_configuration_refuses_is_not_built() -> None:
    results = Results(absent={("tls", US): "not built: listeners[0].tls"})
    goal = "CPU a request over kept TLS connections: at most 1.5 times nginx"
    assert verdicts(results)[goal] == ("not built: listeners[0].tls", "not built")


def test_a_ratio_at_its_limit_is_met_and_one_above_is_not() -> None:
    results = Results()
    results.add("request.cpu_us", US, 0, 17.0)
    results.add("request.cpu_us", "nginx", 0, 10.0)
    results.add("request.cpu_us", "Envoy", 0, 20.0)
    shown = verdicts(results)
    assert shown["CPU a request: at most 1.7 times nginx"] == ("1.70 (1.70 to 1.70)", "met")
    assert shown["CPU a request: at most 0.75 times Envoy"] == ("0.85 (0.85 to 0.85)", "not met")


def test_memory_of_ten_thousand_is_projected_from_fewer_and_says_so() -> None:
    results = Results()
    for key, value in (("bytes", 10.0), ("total", 40.0), ("opened", 1000.0)):
        results.add(f"idle.{key}", US, 0, value)
    goal = "10,000 idle connections: at most 150 MiB of worker memory"
    assert verdicts(results)[goal] == ("128 MiB, projected from 1,000", "met")


def test_flat_is_judged_by_the_dearest_and_the_cheapest_of_all_sizes() -> None:
    results = Results()
    for count, value in ((1, 10.0), (32, 9.0), (2000, 11.0)):
        results.add(f"connections.{count}", US, 0, value)
    goal = "CPU a request flat within 15% from 1 to 2000 connections"
    assert verdicts(results)[goal] == ("1: 1.00, 32: 0.90, 2000: 1.10; 1.22 apart", "not met")


def test_growth_beside_a_peer_is_judged_by_the_ratio_to_it() -> None:
    results = Results()
    for count, ours, theirs in ((1, 90.0, 60.0), (32, 24.0, 16.0), (2000, 52.0, 32.0)):
        results.add(f"connections.{count}", US, 0, ours)
        results.add(f"connections.{count}", "nginx", 0, theirs)
    goal = "the same beside nginx: the ratio to it grows by at most 15% with connections"
    assert verdicts(results)[goal] == ("1: 1.50, 32: 1.50, 2000: 1.62; 1.08 times the first", "met")
    results.add("connections.2000", US, 0, 70.0)
    assert verdicts(results)[goal][1] == "not met"


def test_what_another_section_could_not_start_is_explained_by_that_section() -> None:
    results = Results(absent={("tls", US): "not built: listeners[0].tls"})
    goal = "CPU a TLS connection with one request: at most 3 times nginx"
    assert verdicts(results)[goal] == ("not built: listeners[0].tls", "not built")
