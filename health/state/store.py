"""What do people who need agreement ask for? One small interface; backends differ in who has to answer.

    rows, row            this node's copy: never waits, there without a majority too (static stability)
    put, delete          compare-and-set, true for all nodes when they return
    changed              a hint that something may be new; whoever waits reads again
    announce, soft       what nodes say of themselves, for as long as they say it

Every act of a leader names its `epoch`; from then on the store refuses older ones. An operator's act (a drain through
any node) names none.
"""

from __future__ import annotations

from typing import Any, Protocol

from health.core.rows import Row, SoftRow, Trouble


class StateStore(Protocol):
    """One cluster's agreed state, as one node reaches it. For use on one event loop."""

    def rows(self, kind: str) -> tuple[Row, ...]:
        """By key. Contained rows (see `troubles`) are left out."""
        ...

    def row(self, kind: str, key: str) -> Row | None: ...

    async def fresh(self, kind: str, key: str) -> Row | None:
        """As all nodes agree it is now, not as this node last heard. Raises `Unavailable`."""
        ...

    async def put(
        self, kind: str, key: str, value: dict[str, Any], *, expected: int | None, epoch: int | None = None
    ) -> Row:
        """`expected` is the version read before, 0 for a row that must be new, None for whatever is there.

        Raises `Conflict`, `StaleEpoch`, `NotStorable`; `Unavailable` leaves open whether it happened: read again.
        """
        ...

    async def delete(self, kind: str, key: str, *, expected: int | None, epoch: int | None = None) -> None:
        """As `put`; deleting what is not there is a `Conflict` unless `expected` is None or 0."""
        ...

    async def raise_fence(self, epoch: int) -> None:
        """From now on acts of older epochs are refused. Raises `StaleEpoch` if a newer one was first."""
        ...

    @property
    def revision(self) -> int:
        """Grows with every change of this node's copy; never goes back while the process lives."""
        ...

    async def changed(self, since: int) -> int:
        """Returns when `revision` is above `since`."""
        ...

    def announce(self, kind: str, key: str, value: dict[str, Any], *, ttl_s: float) -> None:
        """Say it until told otherwise; say it again to change it or to keep it alive beyond `ttl_s`."""
        ...

    def withdraw(self, kind: str, key: str) -> None:
        """Stop saying it."""
        ...

    def soft(self, kind: str) -> tuple[SoftRow, ...]:
        """What is being said now, by this node and by those it hears."""
        ...

    def frozen(self) -> str | None:
        """Why nothing can be agreed on right now; None when all is well."""
        ...

    def troubles(self) -> tuple[Trouble, ...]:
        """Rows that are there and cannot be used."""
        ...

    async def close(self) -> None: ...
