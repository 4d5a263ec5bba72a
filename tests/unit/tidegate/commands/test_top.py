"""One picture of a node. Of a real one: tests/integration/tidegate/commands/test_doctor.py."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from tidegate.commands.top import frame, top


def told(attempts: int) -> dict[str, Any]:
    return {
        "node": "gw1",
        "region": "eu",
        "state": "ready",
        "primary": "eu",
        "degraded": ["[b]something"],
        "processes": {"children": [{"in_flight": 3}, {}]},
        "regions": [{"region": "eu", "health": "up", "healthy": 1, "total": 2}],
        "drains": [{"target": "region/us", "state": "draining", "share": 0.5, "in_flight": 1, "streams": 0}],
        "endpoints": [
            {
                "endpoint": "api/eu/[::1]:80",
                "health": "up",
                "reason": "http 200",
                "in_flight": 3,
                "attempts": attempts,
                "connect_failures": 1,
                "failures": 2,
                "rtt_s": 0.0012,
            }
        ],
    }


def drawn(*given: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=160, highlight=False).print(frame(*given))
    return out.getvalue()


def test_a_picture_has_rates_since_the_last_one_and_words_as_they_are() -> None:
    text = drawn(told(300), told(100), 2.0)
    for word in ("gw1 in eu: ready, 3 in flight", "eu 1/2", "api/eu/[::1]:80", "100", "1.2 ms", "[b]something"):
        assert word in text, text
    assert "region/us: draining, share 50%" in text


def test_the_first_picture_has_no_rate() -> None:
    assert " - " in drawn(told(300), None, 0.0)


def test_a_node_that_is_not_there_is_exit_code_3() -> None:
    assert top("http://127.0.0.1:1", once=True, token=None, as_json=False, out=io.StringIO(), err=io.StringIO()) == 3
