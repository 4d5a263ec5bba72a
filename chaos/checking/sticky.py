"""Does a session stay with its endpoint? Judged by which backend answered, and by what could serve at that time.

    answer of a ── answer of b ── ...     kept where b is a
                       └ moved: a was gone for that gateway while it was asked: its link broken, or drained
                                a was late: the request took as long as a try of it in vain
                                a was doubted: the gateway's own node did not call it up, though nothing was done to it
                                else: the promise is broken

The second and third happen on a busy machine, where who is alive may still not answer in time. They are counted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chaos.mesh.plan import CONNECT_S, HEALTH_BOUND_S
from chaos.traffic.history import Doubt, Exchange, Gone, History

DOUBT_REACH_S = 1.5
"""Nodes are asked for their verdicts every half second, and answer late when they are busy."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Of one run."""

    clients: int
    answers: int
    moved: int
    """For a reason."""
    doubted: int
    """Of these: their endpoint was late, or called down, though nothing was done to it."""
    astray: tuple[str, ...]
    """Without one, in words."""


def sessions(history: History, gone: Sequence[Gone]) -> Sessions:
    """All that had a cookie."""
    by_client: dict[str, list[Exchange]] = defaultdict(list)
    for one in history.exchanges:
        if one.client and one.is_served:
            by_client[one.client].append(one)
    moves = [(client, *pair) for client, answers in by_client.items() for pair in _moves(answers)]
    unexplained = [(client, before, after) for client, before, after in moves if not _is_gone(before, after, gone)]
    astray = [move for move in unexplained if not (_is_late(move[2]) or _is_doubted(*move[1:], history.doubts))]
    return Sessions(
        clients=len(by_client),
        answers=sum(map(len, by_client.values())),
        moved=len(moves) - len(astray),
        doubted=len(unexplained) - len(astray),
        astray=tuple(
            f"{client} had its session at {before.backend} and was served by {after.backend} through {after.region}"
            for client, before, after in astray
        ),
    )


def _moves(answers: Sequence[Exchange]) -> Iterator[tuple[Exchange, Exchange]]:
    """A client asks one thing at a time, so its answers are in the order of its questions."""
    ordered = sorted(answers, key=lambda one: one.began)
    for before, after in pairwise(ordered):
        if before.backend != after.backend:
            yield before, after


def _is_gone(before: Exchange, after: Exchange, gone: Sequence[Gone]) -> bool:
    """Whether the old endpoint could not serve this gateway at some time while it was asked.

    That it can again is noticed within the health bound, and not before.
    """
    return any(
        one.backend == before.backend
        and one.seen_from in {None, after.region}
        and one.since <= after.ended
        and after.began <= one.until + HEALTH_BOUND_S
        for one in gone
    )


def _is_late(after: Exchange) -> bool:
    return after.ended - after.began >= CONNECT_S


def _is_doubted(before: Exchange, after: Exchange, doubts: Sequence[Doubt]) -> bool:
    return any(
        one.backend == before.backend
        and one.region == after.region
        and after.began - DOUBT_REACH_S <= one.at <= after.ended + DOUBT_REACH_S
        for one in doubts
    )
