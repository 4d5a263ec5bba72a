"""How does a store ask one peer to compare, or for a piece of a snapshot? One frame there, one frame back, verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from sync.core.digests import KeyRange
from sync.core.dots import Dot
from sync.core.op_ids import OpId
from sync.core.wire import MAX_ANSWER, PROTOCOL, Compare, Compared, Fetch, Fetched, FrameRefused, pack, unpack
from sync.replication.link import Link, PeerRefused

TIMEOUT_S: Final = 30.0
"""For an answer: a sum over millions of keys, or a page over a slow link."""


class Asking:
    """One stream of one peer, on behalf of one life of this store."""

    def __init__(self, link: Link, stream: str, *, life: str) -> None:
        self.link = link
        self.stream = stream
        self._life = life

    async def compare(self, ranges: Sequence[KeyRange]) -> Compared:
        """Raises PeerUnavailable, PeerRefused or FrameRefused."""
        frame = await self.link.ask(
            pack(Compare(PROTOCOL, self._life, self.stream, tuple(ranges))), timeout_s=TIMEOUT_S
        )
        answer = unpack(frame, Compared, at_most=MAX_ANSWER)
        self._check(answer.refused)
        if len(answer.digests) != len(ranges):
            raise FrameRefused(f"{len(answer.digests)} digests, expected {len(ranges)}")
        return answer

    async def fetch(
        self,
        what: Literal["base", "remembered", "page", "operations", "losses"],
        *,
        within: KeyRange = KeyRange(),  # noqa: B008 - frozen
        after: OpId | None = None,
        limit: int = 0,
        max_bytes: int = 0,
        dots: Sequence[Dot] = (),
        loss: Dot | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Fetched:
        """Raises PeerUnavailable, PeerRefused or FrameRefused."""
        asked = Fetch(PROTOCOL, self._life, self.stream, what, within, after, limit, max_bytes, tuple(dots), loss)
        answer = unpack(await self.link.ask(pack(asked), timeout_s=timeout_s), Fetched, at_most=MAX_ANSWER)
        self._check(answer.refused)
        return answer

    def _check(self, refused: str) -> None:
        if refused:
            raise PeerRefused(f"{self.link.name} refuses {self.stream}: {refused}")
