"""What came of the play, for people who read lines and for programs that read JSON.

Act 2 of 6: A backend dies
  kept    no idempotent request fails (212 requests)
  BROKEN  after the health bound nothing but probes is sent to eu-west-1: 3 requests sent there: ...
  248 requests: 246 answered, 2 failed (2 connection_terminated).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidegate.demo.promises import Promise


@dataclass(frozen=True, slots=True)
class Played:
    """An act that has ended."""

    title: str
    sentence: str
    promises: tuple[Promise, ...]
    took_s: float

    @property
    def is_kept(self) -> bool:
        return all(promise.is_kept for promise in self.promises)


def lines(played: Played) -> Iterator[str]:
    """One line a promise, then the sentence."""
    for promise in played.promises:
        if promise.is_kept:
            yield f"  kept    {promise.text} ({promise.found})"
        else:
            yield f"  BROKEN  {promise.text}: {promise.found}"
    yield f"  {played.sentence}."


def verdict(play: Sequence[Played]) -> str:
    """The last line."""
    promises = [promise for act in play for promise in act.promises]
    broken = sum(not promise.is_kept for promise in promises)
    took = sum(act.took_s for act in play)
    outcome = f"{broken} of {len(promises)} promises BROKEN" if broken else f"all {len(promises)} promises kept"
    return f"{outcome} in {took:.0f} s"


def document(play: Sequence[Played], *, is_complete: bool) -> str:
    """The same as JSON; `kept` is true only when the play went to its end and every promise was kept."""
    return json.dumps(
        {
            "kept": is_complete and all(act.is_kept for act in play),
            "complete": is_complete,
            "acts": [
                {
                    "title": act.title,
                    "sentence": act.sentence,
                    "took_s": round(act.took_s, 1),
                    "promises": [
                        {"promise": one.text, "kept": one.is_kept, "found": one.found} for one in act.promises
                    ],
                }
                for act in play
            ],
        },
        indent=2,
    )
