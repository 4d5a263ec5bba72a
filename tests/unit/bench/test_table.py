from __future__ import annotations

from bench.metrics import METRICS
from bench.results import Results
from bench.table import page, shown


def written(results: Results) -> str:
    return page(
        results,
        contestants=["Tidegate", "nginx"],
        facts={"commit": "abc"},
        versions={"nginx": "1.22.1"},
        commands={"request": "wrk -c32"},
        effort="2 rounds.",
        picture="results.svg",
    )


def test_a_number_is_shown_with_its_digits_and_a_missing_one_as_a_dash() -> None:
    rate = next(metric for metric in METRICS if metric.key == "request.rate")
    assert shown(12345.6, rate) == "12,346"
    assert shown(None, rate) == "-"


def test_numbers_ratios_machine_and_commands_are_on_the_page() -> None:
    results = Results()
    results.add("request.cpu_us", "Tidegate", 0, 20.0)
    results.add("request.cpu_us", "nginx", 0, 10.0)
    text = written(results)
    assert "| CPU a request, 13 header fields, µs | 20.0 | 10.0 |" in text
    assert "| CPU a request, 13 header fields | 2.00 (2.00 to 2.00) |" in text
    assert "| commit | abc |" in text
    assert "- request: `wrk -c32`" in text
    assert "Everything is there." in text


def test_what_could_not_be_had_is_a_sentence() -> None:
    results = Results(absent={("policies", "nginx"): "has no sticky cookies | at all"})
    assert "- nginx, policies: has no sticky cookies | at all" in written(results)


def test_lines_without_a_single_value_are_left_out() -> None:
    assert "WebSocket" not in written(Results())


def test_keys_are_unique_and_sections_stand_together() -> None:
    keys = [metric.key for metric in METRICS]
    assert len(set(keys)) == len(keys)
