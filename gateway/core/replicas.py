"""How far is the clients' data in each region? What this data plane was told last, for routes that ask for consistency.

    control ──Replicated, when something moves──> hear ──> behind(region, tokens, ...) ──> None, or why not this region

A vector only grows, so an old one never claims too much: a region may be further than is known here, and a client then
waits in vain, never reads too little. A lag is kept as the moment at which the region lacked nothing, so that it grows
by itself when nobody tells any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core import reasons
from health.core.session_token import SessionToken

OWN: Final = ""
"""In place of a region's name: the store of this very node, which alone answers `builtin:data`."""

Applied = Mapping[str, Mapping[str, int]]
"""By collection and origin: the highest sequence applied."""


class Replicas:
    """One data plane's. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._applied: Mapping[str, Applied] = {}
        self._whole_at: dict[str, dict[str, float | None]] = {}
        self._now = 0.0

    def hear(
        self,
        applied: Mapping[str, Applied],
        lags: Mapping[str, Mapping[str, float | None]],
        *,
        now: float,
    ) -> None:
        """By region, of every collection that it keeps: what is applied there, and seconds that it is behind.

        A lag of None is not known.
        """
        self._applied = applied
        self._whole_at = {
            region: {name: None if lag is None else now - lag for name, lag in of_region.items()}
            for region, of_region in lags.items()
        }
        self._now = now

    def advance(self, now: float) -> None:
        """Time passes, though nobody says anything."""
        self._now = now

    def behind(
        self,
        region: str,
        tokens: Sequence[SessionToken],
        *,
        bound_s: float | None,
        collections: frozenset[str] | None,
    ) -> tuple[str, str] | None:
        """Why a client with these tokens may not be served there: a slug and a sentence. None where it may.

        `bound_s` holds for `collections`, or for all that the region keeps. Of what it does not keep it owes nothing.
        """
        if tokens:
            applied = self._applied.get(region)
            if applied is None:
                return reasons.BEHIND_SESSION, "it has not said what it has applied"
            for token in tokens:
                lacking = _lacking(token, applied)
                if lacking is not None:
                    return reasons.BEHIND_SESSION, lacking
        return None if bound_s is None else self._too_far(region, bound_s, collections)

    def _too_far(self, region: str, bound_s: float, collections: frozenset[str] | None) -> tuple[str, str] | None:
        known = self._whole_at.get(region)
        if known is None:
            return reasons.TOO_FAR_BEHIND, "it has not said how far it is behind"
        for name, whole_at in known.items():
            if collections is not None and name not in collections:
                continue
            if whole_at is None:
                return reasons.TOO_FAR_BEHIND, f"how far it is behind in collection {name} is not known"
            if self._now - whole_at > bound_s:
                seconds = self._now - whole_at
                return reasons.TOO_FAR_BEHIND, f"{seconds:.1f} s behind in collection {name}, more than {bound_s:g} s"
        return None


def _lacking(token: SessionToken, applied: Applied) -> str | None:
    for collection, seen in token.seen.items():
        has = applied.get(collection)
        if has is None:
            continue  # it is not kept there
        for origin, seq in seen.items():
            if has.get(origin, 0) < seq:
                return f"it has applied {has.get(origin, 0)} of {seq} operations of {origin} in collection {collection}"
    return None


NOTHING_KNOWN: Final = Replicas()
"""For whoever is told nothing."""
