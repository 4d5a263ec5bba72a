"""Goals of replication are judged by medians; catching up is compared with the batches of the same round."""

from __future__ import annotations

from bench.results import Results
from bench.sync.judging import CATCH_UP, judge, number, percentile


def _measured(**metrics: list[float]) -> Results:
    results = Results()
    for metric, values in metrics.items():
        for round_, value in enumerate(values):
            results.add(metric.replace("__", "."), "Tidegate", round_, value)
    return results


def _verdicts(results: Results) -> list[str]:
    return [one.verdict for one in judge(results)]


def test_limits_are_kept_at_the_median() -> None:
    results = _measured(
        batches__end_to_end=[19_000, 20_000, 30_000],
        singles__rate=[5_000],
        lag__acknowledged_p50=[4.9],
        lag__acknowledged_p99=[24.9, 99, 24.0],
        lag__sent_p50=[4.9],
        lag__sent_p99=[24.9, 99, 24.0],
        catch_up__rate=[19_000, 20_000, 31_000],
    )
    assert _verdicts(results) == ["met"] * 7
    assert judge(results)[0].measured == "20,000 documents/s (19,000 to 30,000)"


def test_rates_below_and_lags_at_their_limits_are_missed() -> None:
    results = _measured(
        batches__end_to_end=[19_999],
        singles__rate=[4_999],
        lag__acknowledged_p50=[5.0],
        lag__acknowledged_p99=[25.0],
        lag__sent_p50=[5.0],
        lag__sent_p99=[25.0],
        catch_up__rate=[19_998],
    )
    assert _verdicts(results) == ["not met"] * 7


def test_what_was_refused_says_why() -> None:
    results = _measured(catch_up__rate=[1.0])
    results.refuse("singles", "Tidegate", "it fell over")
    judged = {one.goal: one for one in judge(results)}
    assert {one.verdict for one in judged.values()} == {"not measured"}
    assert judged["single durable writes: at least 5,000/s acknowledged"].measured == "it fell over"
    assert judged[CATCH_UP].measured == "-"


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert (percentile(ordered, 0.50), percentile(ordered, 0.99)) == (50.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0


def test_numbers_have_as_many_digits_as_say_something() -> None:
    assert [number(value) for value in (21_234.4, 100.4, 12.34, 0.1234)] == ["21,234", "100", "12.3", "0.123"]
