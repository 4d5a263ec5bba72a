"""The page of replication: medians with their spread, ratios within rounds, and a sentence for what is not there."""

from __future__ import annotations

from bench.results import Results
from bench.sync.page import METRICS, page

PRODUCTS = ("Tidegate", "Other", "Absent")


def _page(results: Results) -> str:
    return page(
        results,
        products=PRODUCTS,
        facts={"date": "today"},
        versions=dict.fromkeys(PRODUCTS, "1.2"),
        settings=dict.fromkeys(PRODUCTS, "as it comes"),
        observed=dict.fromkeys(PRODUCTS, "a feed"),
        command="a command",
        effort="Some rounds.",
    )


def test_numbers_ratios_and_reasons_stand_on_the_page() -> None:
    results = Results()
    for round_, (ours, theirs) in enumerate([(20_000.0, 40_000.0), (30_000.0, 30_000.0), (25_000.0, 100_000.0)]):
        results.add("batches.end_to_end", "Tidegate", round_, ours)
        results.add("batches.end_to_end", "Other", round_, theirs)
    results.refuse("everything", "Absent", "cannot be installed")
    text = _page(results)
    numbers = (
        "| batches: end to end, documents/s | **25,000** (20,000 to 30,000) | **40,000** (30,000 to 100,000) | - |"
    )
    assert numbers in text
    assert "| batches: end to end | 0.50 (0.25 to 1.00) | - |" in text
    assert "- Absent, everything: cannot be installed" in text
    assert (
        "| batches, end to end: at least 20,000 documents/s | 25,000 documents/s (20,000 to 30,000) | **met** |" in text
    )
    assert "| date | today |" in text
    assert "| Other | as it comes | a feed |" in text
    assert "singles: acknowledged" not in text, "what nobody has measured has no line"


def test_every_metric_has_a_line_of_its_own() -> None:
    results = Results()
    for metric in METRICS:
        results.add(metric.key, "Tidegate", 0, 1.0)
    text = _page(results)
    assert len({metric.label for metric in METRICS}) == len(METRICS)
    assert all(f"| {metric.label}" in text for metric in METRICS)
    assert "Everything is there." in text
