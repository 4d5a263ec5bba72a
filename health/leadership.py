"""Who leads, and in which epoch? What everybody who acts for all nodes asks, right before each act.

epoch = leadership.epoch           None: this node does not lead now; do nothing
await state.put(..., epoch=epoch)  refused by the store when a newer leader has acted meanwhile
"""

from __future__ import annotations

from typing import Protocol


class Leadership(Protocol):
    """The election as its users see it."""

    @property
    def epoch(self) -> int | None:
        """The fencing epoch if this node leads at this very moment, by its own clock; never cached by a caller."""
        ...

    @property
    def leader(self) -> str | None:
        """The node that leads, as far as this node knows; None when nobody is known to."""
        ...

    @property
    def reason(self) -> str:
        """One sentence for people: why it is so."""
        ...

    @property
    def no_promotion(self) -> str | None:
        """Why nothing may be promoted by itself, however well the leader is; None when it may."""
        ...


class Alone:
    """A node that shares its state with nobody leads it; each run in an epoch of its own."""

    def __init__(self, node: str, *, fence: int) -> None:
        """`fence` is the highest epoch that has acted on the node's store."""
        self._node = node
        self._epoch = fence + 1

    @property
    def epoch(self) -> int | None:
        return self._epoch

    @property
    def leader(self) -> str | None:
        return self._node

    @property
    def reason(self) -> str:
        return "this node shares its state with no other"

    @property
    def no_promotion(self) -> str | None:
        return None
