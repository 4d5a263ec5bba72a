"""The play has its acts in an order that tells a story."""

from __future__ import annotations

from tidegate.demo.play import ACTS


def test_every_act_says_what_it_does() -> None:
    assert [act.title for act in ACTS] == [
        "Calm",
        "A backend dies",
        "A region dies",
        "It comes back",
        "Residency holds",
        "Processes die",
        "A region is drained",
        "Data is everywhere",
    ]
    assert all(act.what.endswith(".") for act in ACTS)
