"""What becomes of the operations in a peer's answer? They are stored; what is wrong costs as little as it can.

own_future   the peer knows more of this store than it     a new incarnation, then the same batch again
gap          somebody was faster, or the answer is old     asked again from the head
fork         two pasts of one origin                       that origin is taken no more, here; people are told
malformed    damage: a head that cannot be read            asked again; when it repeats, as a fork
poison       damage: only the value is wrong               asked again; when it repeats, quarantined: only its key waits
             the peer says that it has lost the value      quarantined
             the store itself refuses it                   found by halves, quarantined
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sync.core.arrivals import ReceiptProblem
from sync.core.dots import Dot
from sync.core.operation import Sealed, dot_of
from sync.errors import Unstorable
from sync.replication.link import Link
from sync.replication.quarantine import Quarantine
from sync.store import Receipt, Store

TRIES: Final = 3
"""At what may have been damaged on the way, before it is taken for what the peer has."""

Say = Callable[[str, str, Mapping[str, object]], None]


class Intake:
    """One peer's. `wall` is Unix time."""

    def __init__(
        self, link: Link, store: Store, quarantine: Quarantine, *, say: Say, wall: Callable[[], float]
    ) -> None:
        self.distrusted: dict[tuple[str, str], str] = {}
        """(stream, origin) that is taken no more from this peer, and why."""
        self._link = link
        self._store = store
        self._quarantine = quarantine
        self._say = say
        self._wall = wall
        self._faults: dict[tuple[str, str], tuple[Dot | None, int]] = {}
        """By stream and origin: at which operation it was damaged, and how often in a row."""

    async def take(self, stream: str, operations: Sequence[Sealed]) -> Receipt:
        """As far as it can be taken. Raises SyncError."""
        receipt = await self._received(stream, operations)
        if receipt.problem is not None and receipt.problem.kind == "own_future":
            reason = f"{self._link.name} holds {receipt.problem.detail}"
            origin = await self._store.renew_incarnation(stream, reason=reason)
            self._say("error", "this store has lost memory", {"stream": stream, "now": origin, "why": reason})
            receipt = together(receipt, await self._received(stream, operations))
        while receipt.problem is not None and self._is_over(stream, receipt.problem, operations):
            dot, rest = receipt.problem.poison, operations[receipt.problem.index :]
            if dot is None:
                return receipt
            await self._quarantine.put(stream, dot, why=receipt.problem.detail, peer=self._link.name)
            more = await self._received(stream, rest, poison=[dot])
            receipt = together(receipt, more, behind=receipt.problem.index)
        if receipt.problem is None and self._faults:
            for sealed in operations:
                self._faults.pop((stream, dot_of(sealed.head)[0]), None)
        return receipt

    def trust_again(self, stream: str, origin: str) -> bool:
        """A person has looked at it: take this origin's operations again."""
        self._faults.pop((stream, origin), None)
        return self.distrusted.pop((stream, origin), None) is not None

    async def _received(self, stream: str, operations: Sequence[Sealed], *, poison: Collection[Dot] = ()) -> Receipt:
        """Stored; what the store refuses is looked for by halves, and quarantined."""
        try:
            return await self._store.receive(stream, operations, now=self._wall(), poison=poison)
        except Unstorable as refused:
            if len(operations) > 1:
                half = len(operations) // 2
                first = await self._received(stream, operations[:half], poison=poison)
                if first.problem is not None:
                    return first
                second = await self._received(stream, operations[half:], poison=poison)
                return together(first, second, behind=half)
            dot = dot_of(operations[0].head)
            if dot in poison:
                raise
            await self._quarantine.put(stream, dot, why=str(refused), peer=self._link.name)
            return await self._store.receive(stream, operations, now=self._wall(), poison=[dot])

    def _is_over(self, stream: str, problem: ReceiptProblem, operations: Sequence[Sealed]) -> bool:
        """Whether there is nothing more to hope for from this peer; an origin that cannot go on is named."""
        if problem.kind == "gap":
            return False  # asked again from the head
        place = (stream, problem.origin)
        at, times = self._faults.get(place, (None, 0))
        times = times + 1 if at == problem.poison else 1
        self._faults[place] = (problem.poison, times)
        is_lost = problem.poison is not None and not operations[problem.index].salt
        if problem.kind == "malformed" and times < TRIES and not is_lost:
            return False
        if problem.poison is None:
            self.distrusted[place] = problem.detail
            facts = {"peer": self._link.name, "stream": stream, "origin": problem.origin, "found": problem.detail}
            self._say("error", f"operations are taken no more: {problem.kind}", facts)
        return True


def together(first: Receipt, second: Receipt, *, behind: int = 0) -> Receipt:
    """Of two pieces of one batch; the second began `behind` so many operations."""
    problem = second.problem
    if problem is not None:
        problem = dataclasses.replace(problem, index=problem.index + behind)
    return Receipt(
        first.applied + second.applied,
        first.held + second.held,
        first.duplicates + second.duplicates,
        second.heads,
        problem,
    )
