"""The closing line of a whole run counts what every part of it counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.totals import Totals, closing_line, main, total


def report(
    path: Path, *, tests: int, failures: int = 0, errors: int = 0, skipped: int = 0, seconds: float = 1.5
) -> Path:
    path.write_text(
        f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
        f' time="{seconds}"/></testsuites>',
        encoding="utf-8",
    )
    return path


def test_reports_are_summed(tmp_path: Path) -> None:
    reports = [
        report(tmp_path / "a.xml", tests=5, failures=1, skipped=1),
        report(tmp_path / "b.xml", tests=2, errors=1),
    ]
    assert total(reports) == Totals(passed=4, failed=1, skipped=1, errors=1, seconds=3.0)


def test_the_closing_line_names_only_what_there_is() -> None:
    assert closing_line(Totals(passed=812, seconds=421.301), failed_stages=0).strip("=") == " 812 passed in 421.30s "
    line = closing_line(Totals(passed=1, failed=2, skipped=3, errors=1, seconds=1), failed_stages=2)
    assert line.strip("=") == " 2 failed, 1 passed, 3 skipped, 1 error, 2 failed stages in 1.00s "


@pytest.mark.parametrize(
    ("tests", "failures", "failed_stages", "exit_code"), [(1, 0, 0, 0), (2, 1, 0, 1), (1, 0, 1, 1), (0, 0, 0, 1)]
)
def test_a_failed_test_a_failed_stage_or_no_test_at_all_fails_the_run(
    tmp_path: Path, tests: int, failures: int, failed_stages: int, exit_code: int
) -> None:
    given = report(tmp_path / "a.xml", tests=tests, failures=failures)
    assert main(["--failed-stages", str(failed_stages), str(given)]) == exit_code
