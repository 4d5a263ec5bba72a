"""What becomes of one operation that cannot be taken, while the rest of its origin goes on?

    put(stream, dot, ...)       the puller has held it: from whom it came, and why it is no use, is noted beside it
    run()                       every other peer is asked for a sound copy: at once, soon, and then every `AGAIN_S`
    retry(stream)               the same, now: an operator thinks that the cause is gone
    release(stream, dot)        an operator gives it up: later writes of its key go on without it

It blocks later operations of its origin to its key, and nothing else. Any peer that has applied it may have it sound,
also one that got it by another way. What is given up counts as applied and has changed nothing here; where another
store holds it, the next comparison brings it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from sync.core.arrivals import operation_dot
from sync.core.dots import Dot
from sync.core.operation import Malformed, Sealed, dot_of
from sync.core.plans import CollectionPlan
from sync.core.wire import FrameRefused
from sync.errors import SyncError, Unstorable
from sync.replication.asking import Asking
from sync.replication.link import Link, PeerRefused, PeerUnavailable
from sync.replication.waking import slept_or_woken
from sync.store import Store

SOON_S: Final = 1.0
AGAIN_S: Final = 60.0
"""Between questions for a sound copy, growing from `SOON_S`: a peer that was away may be back, or may have got it."""
ANSWER_S: Final = 3.0
"""For an answer: an operator waits for all of them."""
AT_ONCE: Final = 16
"""Operations of one question."""
MOST: Final = 1000
"""Of one stream, looked at in one round."""
NOTE: Final = "quarantined "

Say = Callable[[str, str, Mapping[str, object]], None]


class Found(msgspec.Struct, frozen=True, array_like=True):
    """Why an operation is in quarantine; kept with the stream."""

    why: str
    peer: str
    """Whose copy it was."""
    at: float
    """Wall time in seconds."""


class Quarantine:
    """One store's. `wall` is Unix time."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, CollectionPlan],
        links: Sequence[Link],
        *,
        on_mended: Callable[[str, str], object] = lambda stream, origin: None,
        say: Say,
        sleep: Callable[[float], Awaitable[None]],
        wall: Callable[[], float],
    ) -> None:
        """`on_mended(stream, origin)`: an operation of it was held wrong, and is sound now."""
        self._store = store
        self._plans = plans
        self._links = links
        self._on_mended = on_mended
        self._say = say
        self._sleep = sleep
        self._wall = wall
        self._wake = asyncio.Event()
        self._at_work = asyncio.Lock()

    async def put(self, stream: str, dot: Dot, *, why: str, peer: str) -> None:
        """Note why it is about to be held. Raises SyncError."""
        found = Found(why, peer, self._wall())
        await self._store.note(stream, NOTE + _name(dot), msgspec.msgpack.encode(found))
        facts = {"peer": peer, "stream": stream, "version": _name(dot), "found": why}
        self._say("error", "an operation is quarantined: only its key waits", facts)
        self._wake.set()

    async def found(self, stream: str) -> Mapping[str, Found]:
        """By version: why each is held. Raises SyncError."""
        notes = await self._store.notes(stream)
        return {
            name.removeprefix(NOTE): msgspec.msgpack.decode(value, type=Found)
            for name, value in notes.items()
            if name.startswith(NOTE)
        }

    async def run(self) -> None:
        """For ever."""
        wait_s = SOON_S
        while True:
            is_put = await slept_or_woken(self._sleep, wait_s, self._wake)
            wait_s = SOON_S if is_put else min(AGAIN_S, wait_s * 2)
            for stream in self._store.streams():
                try:
                    await self.retry(stream)
                except SyncError as error:
                    self._say("warning", "no sound copies are looked for", {"stream": stream, "why": str(error)})

    async def retry(self, stream: str, *, origin: str | None = None) -> int:
        """Ask all peers for what is quarantined; how many are sound now. Raises SyncError."""
        async with self._at_work:
            wanted = [dot for dot in await self._quarantined(stream) if origin in {None, dot[0]}]
            links = [link for link in self._links if link.region in self._plans[stream].regions]
            mended = 0
            for at in range(0, len(wanted), AT_ONCE):
                some = wanted[at : at + AT_ONCE]
                answers = await asyncio.gather(*(self._ask(link, stream, some) for link in links))
                heard = [(link, copies) for link, copies in zip(links, answers, strict=True) if copies is not None]
                links = [link for link, _ in heard]
                for link, copies in heard:
                    for copy in copies:
                        mended += await self._mend(link, stream, copy)
            await self._forget(stream)
            return mended

    async def release(self, stream: str, dot: Dot) -> bool:
        """Go on without it; False where it is not in quarantine. Raises SyncError."""
        async with self._at_work:
            is_skipped = await self._store.skip_held(stream, dot)
            if is_skipped:
                await self._store.release_held(stream, now=self._wall())
                facts = {"stream": stream, "version": _name(dot)}
                self._say("warning", "a quarantined operation is given up: its key goes on without it", facts)
            await self._forget(stream)
            return is_skipped

    async def _ask(self, link: Link, stream: str, dots: Sequence[Dot]) -> Sequence[Sealed] | None:
        """One peer's copies; None when it does not answer, or is of a version that does not know the question."""
        asking = Asking(link, stream, life=self._store.origin(stream))
        try:
            return (await asking.fetch("operations", dots=dots, timeout_s=ANSWER_S)).operations
        except (PeerUnavailable, PeerRefused, FrameRefused):
            return None

    async def _mend(self, link: Link, stream: str, copy: Sealed) -> bool:
        """Whether a copy has ended a quarantine. Raises SyncError where this store fails."""
        before = await self._quarantined(stream)
        try:
            dot = dot_of(copy.head)
            if dot not in before:
                return False
            await self._store.release_held(stream, now=self._wall(), sound=[copy])
        except (Malformed, Unstorable):
            return False
        if dot in await self._quarantined(stream):
            return False
        facts = {"peer": link.name, "stream": stream, "version": _name(dot)}
        self._say("info", "a sound copy came: an operation leaves the quarantine", facts)
        self._on_mended(stream, dot[0])
        return True

    async def _quarantined(self, stream: str) -> list[Dot]:
        held = await self._store.held(stream, limit=MOST, reason="quarantined")
        return [operation_dot(one.operation) for one in held]

    async def _forget(self, stream: str) -> None:
        """Notes of what is quarantined no longer."""
        left = {_name(dot) for dot in await self._quarantined(stream)}
        for name in (await self.found(stream)).keys() - left:
            await self._store.note(stream, NOTE + name, None)


def _name(dot: Dot) -> str:
    origin, seq = dot
    return f"{seq}@{origin}"
