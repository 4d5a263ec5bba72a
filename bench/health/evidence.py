"""What did a gateway send to an endpoint after its death? Read from its access log, line by line.

A request that failed at an endpoint names it among its failures. It was sent there after the request began, so the
request's beginning is the earliest that its attempt can have been; for the last attempt that is what is told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Attempts:
    """At the dead, after their death."""

    count: int
    last_after_s: float
    """From the death to the beginning of the last request that was tried there; 0 when there was none."""


def lines(log: Path) -> Iterable[dict[str, Any]]:
    """Those of the access log; a log may have others, and end in half a line."""
    for line in log.read_bytes().splitlines():
        if line.startswith(b'{"time"'):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def attempts_at(dead: Collection[str], log: Iterable[dict[str, Any]], *, died_at: float) -> Attempts:
    """`died_at` is Unix time, as the log's."""
    count, last = 0, 0.0
    for line in log:
        tried = [one for one in line.get("failures", ()) if one["endpoint"] in dead]
        if not tried:
            continue
        began = datetime.fromisoformat(line["time"]).timestamp() - line["duration_ms"] / 1000
        if began + line["duration_ms"] / 1000 < died_at:
            continue
        count += len(tried)
        last = max(last, began - died_at)
    return Attempts(count, last)
