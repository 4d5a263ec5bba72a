"""Attempts at the dead, by the lines of an access log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.health.evidence import Attempts, attempts_at, lines

DIED_AT = 1_700_000_000.0
DEAD = "api/eu/127.0.0.1:1"


def line(after_s: float, *failed: str, duration_ms: float = 0.0) -> dict[str, Any]:
    second, rest = divmod(after_s + 20.0, 60.0)
    time = f"2023-11-14T22:{13 + int(second):02d}:{rest:06.3f}Z"
    return {
        "time": time,
        "duration_ms": duration_ms,
        "failures": [{"endpoint": one, "failure": "refused"} for one in failed],
    }


def test_only_failures_at_the_dead_and_after_their_death_count_and_the_last_is_told_by_its_requests_beginning() -> None:
    log = [
        line(-1.0, DEAD),
        line(0.5, DEAD, duration_ms=100.0),
        line(1.0, "api/us/127.0.0.1:2"),
        line(3.0, DEAD, "api/us/127.0.0.1:2", duration_ms=1000.0),
        line(9.0),
    ]
    found = attempts_at({DEAD}, log, died_at=DIED_AT)
    assert (found.count, round(found.last_after_s, 3)) == (2, 2.0)
    assert attempts_at({DEAD}, [], died_at=DIED_AT) == Attempts(0, 0.0)


def test_other_lines_and_half_lines_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    log.write_text("hello\n" + json.dumps(line(1.0), separators=(",", ":")) + '\n{"time":"20')
    assert len(list(lines(log))) == 1
