"""All the tests of a run together, as one closing line in the form of pytest's own.

python scripts/totals.py --failed-stages N REPORT.xml...      exit 1 when a test or a stage failed
"""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ET  # reports that our own pytest has just written
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Totals:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0
    seconds: float = 0.0


def total(reports: Iterable[Path]) -> Totals:
    """The sum of several JUnit reports; each has a `testsuite` for what one pytest run did."""
    passed = failed = skipped = errors = 0
    seconds = 0.0
    for report in reports:
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314  # written by us, a moment ago
            counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
            passed += counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
            failed += counts["failures"]
            errors += counts["errors"]
            skipped += counts["skipped"]
            seconds += float(suite.get("time", "0"))
    return Totals(passed, failed, skipped, errors, seconds)


def closing_line(totals: Totals, *, failed_stages: int) -> str:
    counted = (
        (totals.failed, "failed"),
        (totals.passed, "passed"),
        (totals.skipped, "skipped"),
        (totals.errors, "error" if totals.errors == 1 else "errors"),
        (failed_stages, "failed stage" if failed_stages == 1 else "failed stages"),
    )
    what = ", ".join(f"{count} {name}" for count, name in counted if count) or "no tests ran"
    return f" {what} in {totals.seconds:.2f}s ".center(80, "=")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="sum several pytest runs")
    parser.add_argument("--failed-stages", type=int, default=0)
    parser.add_argument("reports", nargs="*", type=Path)
    given = parser.parse_args(arguments)
    totals = total(given.reports)
    print(closing_line(totals, failed_stages=given.failed_stages))
    return 1 if totals.failed or totals.errors or given.failed_stages or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
