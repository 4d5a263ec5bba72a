"""When may a change go out to the workers?

The first change after quiet goes at once: a failover must not wait for company. Those that follow within the window go
together at its end, so a region's worth of verdicts costs one publication, not fifty.
"""

from __future__ import annotations

WINDOW_S = 0.1


class Coalescer:
    """The ledger of one stream of changes."""

    __slots__ = ("_due", "_last_sent")

    def __init__(self) -> None:
        self._due: float | None = None
        self._last_sent: float | None = None

    def changed(self, *, now: float) -> None:
        """Something changed."""
        if self._due is None:
            self._due = now if self._last_sent is None else max(now, self._last_sent + WINDOW_S)

    @property
    def due(self) -> float | None:
        """When to send; None while nothing has changed."""
        return self._due

    def sent(self, *, now: float) -> None:
        """Everything that had changed has gone out."""
        self._due = None
        self._last_sent = now
