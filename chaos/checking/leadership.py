"""C11, as far as it can be seen from outside: who says it leads, and when nobody does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from chaos.traffic.history import Claim, History


def two_leaders(history: History) -> Iterator[str]:
    """In one epoch one node leads; and while it does, no other leads in another epoch."""
    leaders: dict[int, set[str]] = defaultdict(set)
    for claim in history.claims:
        if claim.epoch is not None:
            leaders[claim.epoch].add(claim.node)
    for epoch, names in sorted(leaders.items()):
        if len(names) > 1:
            yield f"epoch {epoch} is led by {' and by '.join(sorted(names))}"
    yield from _at_once(history)


def _at_once(history: History) -> Iterator[str]:
    """A node that leads before and after a moment in one epoch led at that moment."""
    reigns: dict[tuple[str, int], list[Claim]] = defaultdict(list)
    for claim in sorted(history.claims, key=lambda one: one.at):
        if claim.epoch is not None:
            reigns[claim.node, claim.epoch].append(claim)
    for (node, epoch), looks in reigns.items():
        for claim in history.claims:
            if (
                claim.epoch is not None
                and claim.node != node
                and looks[0].at < claim.asked < claim.at < looks[-1].asked
            ):
                yield f"{claim.node} leads in epoch {claim.epoch} while {node} leads in epoch {epoch}"
                break


def epochs_back(history: History) -> Iterator[str]:
    """No node leads in an epoch older than one that was led in before it was asked."""
    reigning = sorted((claim for claim in history.claims if claim.epoch is not None), key=lambda one: one.at)
    for claim in reigning:
        before = [one.epoch or 0 for one in reigning if one.at < claim.asked]
        if before and max(before) > (claim.epoch or 0):
            yield f"{claim.node} leads in epoch {claim.epoch}, after epoch {max(before)}"


def longest_without(history: History) -> float:
    """Seconds in which no node that answered said that it leads."""
    claims = sorted(history.claims, key=lambda one: one.at)
    if not claims:
        return 0.0
    last, longest = claims[0].at, 0.0
    for claim in claims:
        if claim.epoch is not None:
            longest = max(longest, claim.at - last)
            last = claim.at
    return max(longest, claims[-1].at - last)
