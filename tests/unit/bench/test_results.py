from __future__ import annotations

from bench.results import Ratio, Results


def of(**values: list[float]) -> Results:
    results = Results()
    for name, each in values.items():
        for number, value in enumerate(each):
            results.add("m", name, number, value)
    return results


def test_what_was_not_measured_has_no_median() -> None:
    assert of(a=[1.0]).median("m", "b") is None


def test_a_ratio_compares_within_rounds_so_that_a_slow_round_slows_both() -> None:
    results = of(a=[10.0, 100.0, 12.0], b=[20.0, 200.0, 20.0])
    assert results.ratio("m", "a", "b") == Ratio(0.5, 0.5, 0.6)


def test_rounds_that_only_one_of_them_finished_do_not_count() -> None:
    assert of(a=[1.0, 50.0], b=[2.0]).ratio("m", "a", "b") == Ratio(0.5, 0.5, 0.5)


def test_two_metrics_of_one_contestant_are_compared_like_two_contestants() -> None:
    results = of(a=[2.0])
    results.add("n", "a", 0, 1.0)
    assert results.ratio("m", "a", "a", other_metric="n") == Ratio(2.0, 2.0, 2.0)


def test_contestants_come_in_the_order_of_their_first_turn() -> None:
    assert of(b=[1.0, 2.0], a=[1.0]).contestants("m") == ["b", "a"]


def test_what_failed_once_leaves_the_table_with_all_of_its_section_and_nothing_else() -> None:
    results = Results()
    for key, name in (("s.one", "a"), ("s.two", "a"), ("t.one", "a"), ("s.one", "b")):
        results.add(key, name, 0, 1.0)
    results.refuse("s", "a", "failed: no log")
    assert [(sample.metric, sample.contestant) for sample in results.samples] == [("t.one", "a"), ("s.one", "b")]
    assert results.absent == {("s", "a"): "failed: no log"}
