"""Carries the lease's commands to the acceptors, by this machine's boot-time clock.

    Lease (pure) --Look--> what the last poll saw   --Put--> a change on a majority   --Fence--> the state store
         ^----------------- outcome, and the time before it was asked for -----------------+

CLOCK_BOOTTIME goes on while a machine sleeps, so one that wakes up finds its lease over. Where there is no such clock
a node only watches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from health.core.lease import REGISTER, Fence, Lease, LeaseValue, Look, Put
from health.core.rows import StateError
from health.quorum.quorum import Quorum

LOOK_AROUND_S = 1.0
RELEASE_PATIENCE_S = 1.0
"""A node that stops does not wait longer for acceptors to take its lease back."""


def boot_time() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def why_no_clock() -> str | None:
    """Why this machine may not lead; None when it may."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return "this platform has no clock that goes on while the machine sleeps (CLOCK_BOOTTIME)"
    return None


class Election:
    """A `Leadership` for as long as `run` and `look_around` run."""

    def __init__(
        self,
        lease: Lease,
        quorum: Quorum,
        *,
        fence: Callable[[int], Awaitable[None]],
        clock: Callable[[], float],
        say: Callable[[str], None] = lambda sentence: None,
        no_promotion: str | None = None,
        register: str = REGISTER,
        beside: Sequence[Quorum] = (),
    ) -> None:
        """`fence` makes every store refuse leaders before that epoch. Lease and election share `clock`; `register` is
        where the acceptors keep it. `beside`: other acceptors, such as the state's, whose set is kept likewise."""
        self._lease = lease
        self._quorum = quorum
        self._fence = fence
        self._clock = clock
        self._say = say
        self._no_promotion = no_promotion
        self._register = register
        self._quorums = (quorum, *beside)
        self._said: int | None = None
        self._poked = asyncio.Event()

    @property
    def epoch(self) -> int | None:
        return self._lease.epoch(self._clock())

    @property
    def valid_until(self) -> float | None:
        """By `clock`, when not to act any more; None while not to act at all."""
        return self._lease.valid_until(self._clock())

    @property
    def leader(self) -> str | None:
        seen = self._lease.seen
        return seen.node if isinstance(seen, LeaseValue) and not seen.released else None

    @property
    def leader_epoch(self) -> int | None:
        """The highest epoch that was seen, whoever's."""
        seen = self._lease.seen
        return seen.epoch if seen is not None else None

    @property
    def reason(self) -> str:
        trouble = self._quorum.trouble()
        return self._lease.abstains or (trouble if trouble and self.epoch is None else None) or self._lease.reason

    @property
    def no_promotion(self) -> str | None:
        return self._no_promotion

    async def run(self) -> None:
        """Contend, lead, renew, until cancelled."""
        while True:
            await self.step()

    async def step(self) -> None:
        """What is due now, or a pause of at most a second."""
        command = self._lease.wake(self._clock())
        self._tell()
        if command is not None:
            await self._carry(command)
            return
        await asyncio.sleep(min(1.0, max(0.01, self._lease.next_deadline() - self._clock())))

    async def look_around(self) -> None:
        """Keep each set of acceptors as it is configured, until cancelled."""
        while True:
            may_change = self.epoch is not None
            await asyncio.gather(*(quorum.look_around(may_change=may_change) for quorum in self._quorums))
            await asyncio.sleep(LOOK_AROUND_S)

    async def release(self) -> None:
        """At a stop: nobody has to wait for this lease to run out."""
        command = self._lease.stop(self._clock())
        if isinstance(command, Put):
            try:
                async with asyncio.timeout(RELEASE_PATIENCE_S):
                    await self._quorum.change(self._register, command.change)
            except (StateError, TimeoutError):
                self._say("could not give the lease back: the others wait until it has run out")

    async def _carry(self, command: Look | Put | Fence) -> None:
        asked_at = self._clock()
        what = "look" if isinstance(command, Look) else command.what if isinstance(command, Put) else "fence"
        try:
            if isinstance(command, Look):
                if await self._quorum.poll():
                    self._lease.observed(self._quorum.newest(self._register), now=self._clock())
                else:
                    self._lease.failed(what, None, now=self._clock())
            elif isinstance(command, Put):
                value = await self._quorum.change(self._register, command.change)
                self._lease.answered(command.what, value, asked_at=asked_at, now=self._clock())
            else:
                await self._fence(command.epoch)
                self._lease.fenced(command.epoch, now=self._clock())
        except StateError as error:
            self._lease.failed(what, error, now=self._clock())

    def _tell(self) -> None:
        epoch = self.epoch
        if epoch != self._said:
            self._said = epoch
            self._say(f"leads in epoch {epoch}" if epoch is not None else f"does not lead any more: {self.reason}")
