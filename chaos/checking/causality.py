"""C4: nobody sees a write beside what its writer had read, and what replaced it is never taken back.

Each link of a chain is written with the context of the one before. So a region that tells two links of one chain side
by side has lost the context of the later one; and one that shows an earlier link after a later one has applied an
operation that its own state had replaced already. Judged key by key, as the design promises it: what was read of one
key does not bind the writes of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chaos.checking.data import backwards, chain_places
from chaos.traffic.history import History, Seen


def violations(history: History) -> Iterator[str]:
    places = chain_places(history)
    for seen in (*history.reads, *history.glances):
        yield from _beside(seen, places)
    # Who has seen nothing of a chain yet may find nothing.
    yield from backwards(history, [seen for seen in history.glances if seen.expected_place])


def _beside(seen: Seen, places: Mapping[tuple[str, str, str | None], int]) -> Iterator[str]:
    links = sorted(places[where] for value in seen.beside if (where := (seen.collection, seen.key, value)) in places)
    if len(set(links)) > 1:
        yield f"{seen.client} saw places {links} of {seen.key} side by side in {seen.region}"
